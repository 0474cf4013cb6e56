"""Runs a loop of an example on each of numba's threading layers and on our pools.

Each has a process of its own, because numba has one layer for a whole process.
"""

from __future__ import annotations

import argparse
import json
import signal
import subprocess
import sys
from collections.abc import Callable
from statistics import median
from time import perf_counter

import numba
import numpy as np

import threadpool_iface
from threadpool_iface import numba_layer

STOCK = ("omp", "tbb", "workqueue")
OURS = ("OmpLikePool", "EigenLikePool")

#: Given whether to be quick, the loop to time: called again and again, it gives the same numbers.
Prepare = Callable[[bool], Callable[[], object]]


def compare(prepare: Prepare) -> None:
    """Print how long the loop takes on every layer, and whether all give the same numbers.

    The time is the median over the calls of a process, and the best of three such processes.
    """
    parser = argparse.ArgumentParser(description=sys.modules["__main__"].__doc__)
    parser.add_argument("--quick", action="store_true", help="less work, one turn each")
    parser.add_argument("--layer", choices=STOCK + OURS, help="on this one only, for programs")
    arguments = parser.parse_args()
    if arguments.layer:
        print(json.dumps(_measured(arguments.layer, prepare, arguments.quick)))
    else:
        _show(arguments.quick)


def use(layer: str) -> None:
    """Have every loop of this process run on one of numba's layers, or on one of our pools."""
    if layer in STOCK:
        numba.config.THREADING_LAYER = layer
    else:
        numba_layer.install()
        threadpool_iface.set_default_threadpool(getattr(threadpool_iface, layer)())


def _measured(layer: str, prepare: Prepare, quick: bool) -> dict[str, float]:
    use(layer)
    call = prepare(quick)
    result = call()
    seconds = []
    end = perf_counter() + (0.1 if quick else 1.0)
    while len(seconds) < 3 or perf_counter() < end:
        start = perf_counter()
        call()
        seconds.append(perf_counter() - start)
    return {"ms": 1e3 * median(seconds), "result": float(np.sum(result))}


def _show(quick: bool) -> None:
    turns = [{layer: _in_a_process(layer, quick) for layer in STOCK + OURS}
             for _ in range(1 if quick else 3)]
    print(f"{'':14} {'ms':>9}  result")
    milliseconds, results = {}, set()
    for layer in STOCK + OURS:
        outcomes = [turn[layer] for turn in turns]
        failed = [outcome for outcome in outcomes if isinstance(outcome, str)]
        if failed:
            print(f"{layer:14} {'-':>9}  {failed[0]}")
            continue
        milliseconds[layer] = min(outcome["ms"] for outcome in outcomes)
        results |= {outcome["result"] for outcome in outcomes}
        print(f"{layer:14} {milliseconds[layer]:9.3f}  {outcomes[0]['result']:.17g}")
    best = min(milliseconds[layer] for layer in STOCK if layer in milliseconds)
    ours = ", ".join(f"{layer} {best / milliseconds[layer]:.2f}x" for layer in OURS)
    print(f"speed over the best of numba's: {ours}")
    print("results: equal on all layers" if len(results) == 1 else f"results differ: {results}")


def _in_a_process(layer: str, quick: bool) -> dict[str, float] | str:
    command = [sys.executable, sys.argv[0], "--layer", layer, *["--quick"] * quick]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    except subprocess.TimeoutExpired:
        return "did not end within a minute"
    if done.returncode < 0:
        return f"the process was ended by {signal.Signals(-done.returncode).name}"
    if done.returncode:
        return done.stderr.strip().splitlines()[-1]
    return json.loads(done.stdout)
