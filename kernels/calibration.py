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
from threadpool_iface.topology import read_machine
from threadpool_iface.user_files import read_json, write_json

from .compiling import c_function, kernel
from .costs import FILE, Costs, checked, identity
from .costs import stored as known
from .elementwise import Eltwise
from .matmul import Matmul
from .words import TASK

#: Bytes of the caches of a machine that hides them, as some virtual ones do.
USUAL_CACHES = {"L2": 2**20, "L3": 2**25}
#: Of the arrays that are copied from and to memory: more than any cache.
MEMORY = 2**28
ALONE = PrimitiveAttr(max_num_threads=0)
_TURNS = 7


def measure(report: Callable[[str], None] = lambda step: None) -> dict[str, Any]:
    """Measure, in about a second after kernels are compiled. `report` is told each step.

    Returns
    -------
    dict
        What `store` writes: "machine", "costs" for the model, and what they were derived from:
        "caches", bytes of L1d, L2 and L3 as far as the system tells; "copy_bytes_per_second" in
        "L2", "L3" and "memory"; "region_seconds" of each kind of pool of "threads".
    """
    report("arithmetic")
    flops = _flops_per_second()
    caches, bandwidths = _caches(), {}
    for place, nbytes in _working_sets(caches).items():
        report(f"copies in {place}")
        bandwidths[place] = _bytes_per_second(nbytes)
    regions = {}
    threads = default_num_threads()
    for kind in (OmpLikePool, EigenLikePool):
        report(f"regions of {kind.__name__}({threads})")
        with kind(threads) as pool:
            regions[kind.__name__] = _region_seconds(pool)
    outside = (bandwidths["L3"] * bandwidths["memory"]) ** 0.5
    costs = Costs(flops, outside, max(regions.values()))
    return {"machine": identity(), "costs": costs._asdict(), "caches": caches,
            "threads": threads, "copy_bytes_per_second": bandwidths, "region_seconds": regions}


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


def _caches() -> dict[str, int]:
    """Bytes of each data cache of a core, as the system tells."""
    return {f"L{cache.level}{'d' * (cache.kind == 'data')}": cache.size
            for cache in read_machine().caches if cache.kind != "instruction" and cache.size}


def _working_sets(caches: dict[str, int]) -> dict[str, int]:
    """Bytes of source and target together that lie in each place, and not in the one before."""
    halves = {name: caches.get(name, usual) // 2 for name, usual in USUAL_CACHES.items()}
    return {**halves, "memory": max(MEMORY, 8 * caches.get("L3", 0))}


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
