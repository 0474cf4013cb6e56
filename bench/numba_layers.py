"""`python -m bench.numba_layers`: unmodified loops of numba on our pools and on numba's own layers.

Every layer has a process of its own and takes its turns; figures are medians over the blocks.
"""

from __future__ import annotations

import argparse
import ctypes
from collections.abc import Sequence
from contextlib import suppress

from rich.console import Console
from rich.progress import Progress
from rich.table import Table as Grid

from threadpool_iface import default_num_threads

from .cases import Case
from .console import wide_console
from .tables import TIE, duration, label
from .turns import Measurement, Table

LAYERS = ("numba on omp", "numba on eigen", "numba on omp, static", "numba omp", "numba tbb",
          "numba workqueue")

#: What is measured, by the row's heading.
CASES = {
    "loop without work, hot": Case("even_loop", idle="hot"),
    "the same, after 1 ms asleep": Case("even_loop", idle="slept"),
    "the same, after 1 ms of other work": Case("even_loop", idle="busy"),
    "loop of 20 us, even, hot": Case("even_loop", idle="hot", microseconds=20),
    "the same, after 1 ms asleep ": Case("even_loop", idle="slept", microseconds=20),
    "triangular loop, 50 us": Case("skewed", microseconds=50),
    "triangular loop, 500 us": Case("skewed", microseconds=500),
    "triangular loop, 5 ms": Case("skewed", microseconds=5000),
    "@vectorize, 200,000 elements": Case("ufunc"),
}


def present() -> list[str]:
    """The layers that this machine has: TBB's needs its library."""
    layers = list(LAYERS)
    try:
        ctypes.CDLL("libtbb.so.12")
    except OSError:
        layers.remove("numba tbb")
    return layers


def measure(blocks: int, seconds: float) -> dict[str, list[Measurement]]:
    """The measurements of every case, in the order of the layers."""
    layers = present()
    found = {}
    with Table(layers, default_num_threads()) as table, Progress(transient=True) as progress:
        for name, case in progress.track(CASES.items(), description="numba's layers"):
            found[name] = table.measure([(layer, case) for layer in layers], blocks, seconds)
    return found


def show(console: Console, found: dict[str, list[Measurement]]) -> None:
    """Print them, each beside the best of its row."""
    grid = Grid(title="Loops of numba, unchanged: median time of a call", title_justify="left")
    grid.add_column("")
    for measurement in next(iter(found.values())):
        grid.add_column(label(measurement.contender), justify="right")
    for name, row in found.items():
        best = min(measurement.median for measurement in row)
        grid.add_row(name.strip(), *(_cell(measurement.median, best) for measurement in row))
    console.print(grid)


def _cell(seconds: float, best: float) -> str:
    ratio = seconds / best
    mark = "best" if ratio == 1 else "tie" if ratio < TIE else f"{ratio:.2f}x"
    return f"{duration(seconds)}\n[dim]{mark}[/]"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.numba_layers", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer blocks, shorter ones")
    quick = parser.parse_args(arguments).quick
    found = measure(2 if quick else 9, 0.01 if quick else 0.03)
    show(wide_console(120), found)
    return 0


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        raise SystemExit(main())
