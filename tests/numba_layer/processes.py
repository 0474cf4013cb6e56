"""Programs of these tests, each run in a process of its own: what numba links stays for good."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numba

import threadpool_iface.numba_layer

ROOT = Path(__file__).parents[2]

#: Both ways in: numba has launched no layer yet, or it has.
WAYS = ("layer", "overlay")
#: More than pools of 2, fewer than pools of 8, whatever the machine.
NUM_THREADS = 4


def launch_own() -> None:
    """Have numba launch its own layer, without compiling anything."""
    numba.get_num_threads()


def install(way: str, **options) -> None:
    if way == "overlay":
        launch_own()
    threadpool_iface.numba_layer.install(**options)


def run(program: Callable[..., None], *arguments: str, **environment: str) -> str:
    """Call a function of a test module in a process of its own; what it printed.

    `cache` of the environment is the folder of numba's cache, shared to save compiling.
    """
    call = f"from {program.__module__} import {program.__name__} as program; program(*{arguments})"
    return run_python("-c", call, **environment)


def run_python(*arguments: str, **environment: str) -> str:
    env = {**os.environ, "NUMBA_NUM_THREADS": str(NUM_THREADS),
           "NUMBA_THREADING_LAYER_PRIORITY": "omp workqueue tbb", **environment}
    done = subprocess.run([sys.executable, *arguments], cwd=ROOT, env=env, capture_output=True,
                          text=True, timeout=120, check=False)
    assert done.returncode == 0, f"status {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout + done.stderr
