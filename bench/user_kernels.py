"""`python -m bench.user_kernels`: what it costs to run a compiled body as a region.

Bodies do nothing, so a figure is the cost of the call. From Python it stands beside a plain call of
the body, from compiled code beside a region of C tasks; contenders take turns, and a figure is the
median over their blocks. The loops at the end weigh it against real work.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from statistics import median
from time import perf_counter

import numpy as np
from numba import cfunc, njit
from rich.table import Table

from threadpool_iface import (
    EigenLikePool,
    OmpLikePool,
    ThreadpoolIface,
    default_num_threads,
    parallel,
    parallel_for,
    parallel_nd,
    parallel_reduce,
    threadpool,
)
from threadpool_iface.nopython import tpi_parallel

from .console import wide_console
from .tables import duration

#: Seconds for one call, given how many to make.
Timed = Callable[[int], float]

X, Y = np.ones(1000), np.zeros(1000)


@njit
def body(begin, end, a, x, y):
    pass


@njit
def task(ithr, nthr):
    pass


@njit
def point(i, j, y):
    pass


@njit
def part(begin, end, acc, x):
    return acc


@njit
def add(a, b):
    return a + b


@cfunc("int32(voidptr, int32, int32)")
def native_task(context, ithr, nthr):
    return 0


@njit
def saxpy(begin, end, a, x, y):
    for i in range(begin, end):
        y[i] += a * x[i]


@njit(nogil=True)
def c_regions(calls, address):
    for _ in range(calls):
        tpi_parallel(2, address, 0)


@njit(nogil=True)
def regions(calls):
    for _ in range(calls):
        parallel(2, task)


@njit(nogil=True)
def static_loops(calls, x, y):
    for _ in range(calls):
        parallel_for(2, body, 1.0, x, y, schedule="static")


@njit(nogil=True)
def measured_loops(calls, x, y):
    for _ in range(calls):
        parallel_for(2, body, 1.0, x, y)


@njit
def loops_holding_the_gil(calls, x, y):
    for _ in range(calls):
        parallel_for(2, body, 1.0, x, y)


def from_python(call: Callable[[], object]) -> Timed:
    def timed(calls: int) -> float:
        start = perf_counter()
        for _ in range(calls):
            call()
        return (perf_counter() - start) / calls

    return timed


def from_compiled(loop: Callable[..., object], *args: object) -> Timed:
    def timed(calls: int) -> float:
        start = perf_counter()
        loop(calls, *args)
        return (perf_counter() - start) / calls

    return timed


PYTHON: dict[str, Timed] = {
    "plain call of the body": from_python(lambda: body(0, 2, 1.0, X, Y)),
    "parallel_for(2, body, ...)": from_python(lambda: parallel_for(2, body, 1.0, X, Y)),
    "... grain=1": from_python(lambda: parallel_for(2, body, 1.0, X, Y, grain=1)),
    "parallel(2, task)": from_python(lambda: parallel(2, task)),
    "parallel(2, C task)": from_python(lambda: parallel(2, native_task)),
    "parallel_nd((1, 2), body, ...)": from_python(lambda: parallel_nd((1, 2), point, Y)),
    "parallel_reduce(2, body, ...)": from_python(
        lambda: parallel_reduce(2, part, 0.0, X, combine=add)),
}
COMPILED: dict[str, Timed] = {
    "region of C tasks": from_compiled(c_regions, native_task.address),
    "parallel(2, task)": from_compiled(regions),
    "parallel_for, static": from_compiled(static_loops, X, Y),
    "parallel_for, measured": from_compiled(measured_loops, X, Y),
    "the same, holding the GIL": from_compiled(loops_holding_the_gil, X, Y),
}


def loop_of(n: int) -> dict[str, Timed]:
    x, y = np.ones(n), np.zeros(n)
    return {
        "one call of the body": from_python(lambda: saxpy(0, n, 2.0, x, y)),
        "parallel_for": from_python(lambda: parallel_for(n, saxpy, 2.0, x, y)),
        "static": from_python(lambda: parallel_for(n, saxpy, 2.0, x, y, schedule="static")),
    }


def in_turns(contenders: dict[str, Timed], calls: int, blocks: int) -> dict[str, float]:
    """Median seconds of a call, over blocks that contenders take in turn."""
    seen: dict[str, list[float]] = {name: [] for name in contenders}
    for timed in contenders.values():
        timed(calls)  # compiles, and starts the workers
    for _ in range(blocks):
        for name, timed in contenders.items():
            seen[name].append(timed(calls))
    return {name: median(times) for name, times in seen.items()}


def table(title: str, pools: Sequence[tuple[str, ThreadpoolIface | None]],
          contenders: dict[str, Timed], calls: int, blocks: int) -> Table:
    """Figures of every pool, and how much each is above the first of its column."""
    grid = Table("", *(name for name, _ in pools), title=title)
    columns = []
    for _, pool in pools:
        with threadpool(pool):
            columns.append(in_turns(contenders, calls, blocks))
    first = next(iter(contenders))
    for name in contenders:
        cells = [duration(column[name]) if name == first else
                 f"{duration(column[name])} ({(column[name] - column[first]) * 1e6:+.2f} us)"
                 for column in columns]
        grid.add_row(name, *cells)
    return grid


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.user_kernels", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few repetitions")
    blocks = 5 if parser.parse_args(argv).quick else 60
    threads, console = default_num_threads(), wide_console(120)
    with OmpLikePool(threads) as omp, EigenLikePool(threads) as eigen:
        pools = [("no pool", None), ("OmpLikePool", omp), ("EigenLikePool", eigen)]
        console.print(table("From Python", pools, PYTHON, 1000, blocks))
        console.print(table("From compiled code", pools, COMPILED, 1000, blocks))
        for n in (1_000, 100_000, 1_000_000):
            console.print(table(f"y += a * x, {n} items", pools, loop_of(n), 20, blocks))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
