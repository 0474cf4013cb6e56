"""`python -m bench.blas`: NumPy's matmul on our pools, beside OpenBLAS's own threads.

One caller, four Python threads at once, and NumPy and our kernels in turn. Every contender has a
process of its own, and they take turns.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from rich.table import Table as Grid

from threadpool_iface import default_num_threads

from .cases import Case
from .console import wide_console
from .shapes import Gemm
from .tables import duration, label
from .turns import ContenderError, Measurement, Table

OWN, OMP, EIGEN, LIMITED = "blas own", "blas omp", "blas eigen", "blas limited"
SIZES = (64, 128, 256, 512, 1024, 2048)
DTYPES = ("float32", "float64")
CALLERS = 4
#: What the layer is held to: the speed of one caller, the throughput of four, their p99 over the
#: median, and a pair of calls over the two by themselves.
LEAST_SPEED, LEAST_THROUGHPUT, MOST_TAIL, MOST_PAIR = 0.97, 1.2, 3.0, 1.08


@dataclass(frozen=True)
class Plan:
    """Sizes, and blocks for each contender."""

    sizes: tuple[int, ...]
    dtypes: tuple[str, ...]
    blocks: int


def plan(quick: bool) -> Plan:
    return Plan((64, 256), ("float32",), 3) if quick else Plan(SIZES, DTYPES, 9)


def _case(size: int, dtype: str, callers: int = 1, body: str = "numpy") -> Case:
    return Case("blas", Gemm(size, size, size), body=body, tasks=callers, dtype=dtype)


def per_call(m: Measurement) -> float:
    """Mean seconds of a call, the median over the blocks: callers that are never idle have this as
    their throughput."""
    return float(np.median(np.reshape(m.samples, (len(m.blocks), -1)).mean(axis=1)))


def tail(m: Measurement) -> float:
    return m.p99 / m.median


def _measure(table: Table, how: Plan, names: Sequence[str], case: Case) -> dict[str, Measurement]:
    found = table.measure([(name, case) for name in names], how.blocks, 0.0)
    return {m.contender: m for m in found}


def _mark(good: bool) -> str:
    return "[green]met[/]" if good else "[red]missed[/]"


def one_caller(table: Table, how: Plan) -> Grid:
    """Speed relative to OpenBLAS's own threads."""
    grid = Grid("", *map(label, (OWN, OMP, EIGEN)), title="One caller: time of a call, and speed "
                f"relative to OpenBLAS's own threads (target {LEAST_SPEED})", title_justify="left")
    for dtype in how.dtypes:
        for size in how.sizes:
            ms = _measure(table, how, (OWN, OMP, EIGEN), _case(size, dtype))
            own = ms[OWN].median
            cells = [f"{duration(ms[name].median)}\n{own / ms[name].median:.2f}x "
                     f"{_mark(own / ms[name].median >= LEAST_SPEED)}" for name in (OMP, EIGEN)]
            grid.add_row(f"{size} {dtype}", duration(own), *cells)
    return grid


def four_callers(table: Table, how: Plan) -> Grid:
    """Throughput relative to OpenBLAS's own threads, and the tail."""
    names = (OWN, OMP, EIGEN, LIMITED)
    grid = Grid("", *map(label, names), title=f"{CALLERS} Python threads: total throughput "
                f"relative to OpenBLAS's own threads (target {LEAST_THROUGHPUT}), p99 / median "
                f"(target {MOST_TAIL:g})", title_justify="left")
    for dtype in how.dtypes:
        for size in how.sizes:
            ms = _measure(table, how, names, _case(size, dtype, CALLERS))
            cells = []
            for name in names:
                gain = per_call(ms[OWN]) / per_call(ms[name])
                good = gain >= LEAST_THROUGHPUT and tail(ms[name]) <= MOST_TAIL
                cells.append(f"{gain:.2f}x, {tail(ms[name]):.1f}"
                             + ("" if name == OWN else f"\n{_mark(good)}"))
            grid.add_row(f"{size} {dtype}", *cells)
    return grid


def alternating(table: Table, how: Plan) -> Grid:
    """A call of NumPy and one of ours, over the two by themselves."""
    names = (OWN, OMP, EIGEN)
    grid = Grid("", *map(label, names), title="NumPy and kernels.Matmul in turn: time of a pair "
                f"relative to the two by themselves (target {MOST_PAIR})", title_justify="left")
    for dtype in how.dtypes:
        for size in how.sizes:
            ms = {body: _measure(table, how, names, _case(size, dtype, body=body))
                  for body in ("numpy", "ours", "alternating")}
            cells = []
            for name in names:
                alone = ms["numpy"][name].median + ms["ours"][name].median
                ratio = ms["alternating"][name].median / alone
                mark = "" if name == OWN else f" {_mark(ratio <= MOST_PAIR)}"
                cells.append(f"{ratio:.2f}x{mark}")
            grid.add_row(f"{size} {dtype}", *cells)
    return grid


EXPERIMENTS = {"one": one_caller, "four": four_callers, "alternating": alternating}


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.blas", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer sizes and blocks")
    parser.add_argument("--experiments", nargs="+", choices=EXPERIMENTS, default=list(EXPERIMENTS))
    options = parser.parse_args(argv)
    console = wide_console(130)
    try:
        with Table((OWN, OMP, EIGEN, LIMITED), default_num_threads()) as table:
            for name in options.experiments:
                console.print(EXPERIMENTS[name](table, plan(options.quick)))
    except ContenderError as error:
        print(f"python -m bench.blas: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
