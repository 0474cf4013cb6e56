"""`threadpool-iface calibrate`: measure the machine once for the cost model."""

from __future__ import annotations

from collections.abc import Callable
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np

from threadpool_iface import (
    EigenLikePool,
    OmpLikePool,
    PrimitiveAttr,
    ThreadpoolIface,
    default_num_threads,
    threadpool,
)
from threadpool_iface.nopython import tpi_parallel
from threadpool_iface.user_files import read_json, write_json

from .compiling import c_function, kernel
from .costs import FILE, Costs, checked, identity
from .costs import stored as known
from .elementwise import Eltwise
from .matmul import Matmul
from .words import TASK

#: Bytes of the arrays whose copies are timed: in L2, L3 and memory of most machines.
WORKING_SETS = {"512 KiB": 2**19, "8 MiB": 2**23, "256 MiB": 2**28}
ALONE = PrimitiveAttr(max_num_threads=0)
_TURNS = 7


def measure(report: Callable[[str], None] = lambda step: None) -> dict[str, Any]:
    """Measure, in about a second after kernels are compiled. `report` is told each step.

    Returns
    -------
    dict
        What `store` writes: "machine", "costs" for the model, and what they were derived from.
    """
    report("arithmetic")
    flops = _flops_per_second()
    bandwidths = {}
    for name, nbytes in WORKING_SETS.items():
        report(f"copies of {name}")
        bandwidths[name] = _bytes_per_second(nbytes)
    regions = {}
    threads = default_num_threads()
    for kind in (OmpLikePool, EigenLikePool):
        report(f"regions of {kind.__name__}({threads})")
        with kind(threads) as pool:
            regions[kind.__name__] = _region_seconds(pool)
    outside = (bandwidths["8 MiB"] * bandwidths["256 MiB"]) ** 0.5
    costs = Costs(flops, outside, max(regions.values()))
    return {"machine": identity(), "costs": costs._asdict(), "threads": threads,
            "copy_bytes_per_second": bandwidths, "region_seconds": regions}


def store(measured: dict[str, Any]) -> str:
    """Keep it for later processes, and for primitives made from now on; returns the file's path."""
    checked(measured["costs"])
    path = str(write_json(FILE, measured))
    known.cache_clear()
    return path


def stored() -> dict[str, Any]:
    """The calibration kept on this machine; empty if there is none."""
    return read_json(FILE)


def _seconds(call: Callable[[], Any], enough: float = 0.01) -> float:
    """Median over turns of the time of one call."""
    call()
    start = perf_counter()
    call()
    count = max(1, int(enough / max(perf_counter() - start, 1e-7)))
    times = []
    for _ in range(_TURNS):
        start = perf_counter()
        for _ in range(count):
            call()
        times.append((perf_counter() - start) / count)
    return median(times)


def _flops_per_second() -> float:
    n = 192
    product = Matmul((n, n), (n, n), attr=ALONE)
    a, out = np.ones((n, n), np.float32), np.empty((n, n), np.float32)
    packed = product.pack_weights(a)
    return product.descriptor.flops / _seconds(lambda: product(a, packed, out=out))


def _bytes_per_second(nbytes: int) -> float:
    """Of reading and writing together."""
    source = np.ones(nbytes // 8, np.float32)
    target = np.empty_like(source)
    copy = Eltwise(source.shape, attr=ALONE)
    return nbytes / _seconds(lambda: copy(source, out=target))


@c_function("an empty task", TASK)
def _nothing(context, ithr, nthr):
    return 0


@kernel
def _regions(count, tasks, task, pause):
    """`count` regions, each after `pause` steps of work of the caller; the last result."""
    x = 1.0
    for _ in range(count):
        for _ in range(pause):
            x = x * 0.999 + 0.5
        if tasks:
            tpi_parallel(tasks, task, 0)
    return x


def _region_seconds(pool: ThreadpoolIface, pause: int = 20_000, count: int = 100) -> float:
    """A region some 20 us after the one before, as between the layers of a network."""
    task, size = _nothing(), pool.num_threads
    with threadpool(pool):
        times = []
        for _ in range(_TURNS):
            pair = []
            for tasks in (0, size):
                _regions(2, tasks, task, pause)
                start = perf_counter()
                _regions(count, tasks, task, pause)
                pair.append((perf_counter() - start) / count)
            times.append(pair[1] - pair[0])
    return max(median(times), 5e-8)
