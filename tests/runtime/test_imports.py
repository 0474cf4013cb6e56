"""What importing the library brings, and what comes later, when it is first asked for."""

from __future__ import annotations

import subprocess
import sys

import pytest

import threadpool_iface
from threadpool_iface import topology


def loaded(code):
    """The modules of a fresh process that has run `code`, and its threads."""
    report = "\nimport sys, os; print(len(os.listdir('/proc/self/task')), *sys.modules)"
    done = subprocess.run([sys.executable, "-c", code + report], capture_output=True, text=True,
                          check=True)
    return int(done.stdout.split()[0]), set(done.stdout.split())


@pytest.mark.parametrize("code", ["import threadpool_iface",
                                  "from threadpool_iface import CPUPool; CPUPool().split(1)"])
def test_the_runtime_waits_until_it_is_asked_for(code):
    threads, modules = loaded(code)
    assert threads == 1
    assert not modules & {"numba", "numpy", "concurrent.futures", "ctypes",
                          "threadpool_iface.runtime", "threadpool_iface.topology.machine"}


def test_a_task_and_a_pin_start_no_thread_before_their_first_use():
    threads, modules = loaded("from threadpool_iface import *\n"
                              "task, block = Task(print, CPUPool()), pin(CPUPool())")
    assert threads == 1
    assert "numba" not in modules


@pytest.mark.parametrize("package", [threadpool_iface, topology])
def test_every_public_name_is_there_and_no_other(package):
    assert all(getattr(package, name) is not None for name in package.__all__)
    assert not hasattr(package, "nonsense")
