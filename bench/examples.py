"""`python -m bench.examples`: the loops of docs/examples on our pools and on numba's own layers.

Every layer has a process of its own and takes its turns; figures are medians over the blocks. What
is wanted is relative to the best of numba's layers, of those that survive. Beside it is the same of
each layer's best block, for machines that others use too.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from rich.console import Console
from rich.progress import track
from rich.table import Table as Grid

from threadpool_iface import default_num_threads

from .cases import Case
from .console import wide_console
from .numba_layers import present
from .pool_targets import Row
from .tables import duration, label
from .turns import DeadContenderError, Measurement, Table

OURS = ("numba on omp", "numba on eigen")
#: Even shares, which are for even loops.
STATIC = "numba on omp, static"


@dataclass(frozen=True)
class Wanted:
    """A limit: of the speed over the best of numba's layers, or of the time over its."""

    limit: float
    of_speed: bool

    def row(self, what: str, ours: float, best: float) -> Row:
        if self.of_speed:
            return Row(f"{what}, speed", self.limit, best / ours, at_most=False)
        return Row(f"{what}, time", self.limit, ours / best)


IRREGULAR, REGULAR = Wanted(1.3, of_speed=True), Wanted(1.0, of_speed=True)
HOT, IDLE = Wanted(0.9, of_speed=False), Wanted(0.5, of_speed=False)
CALLERS = Wanted(1.2, of_speed=True)

#: Of a block of empty loops: a thousand, which take 8 s where `omp` waits for time slices.
HOT_SECONDS = 0.001

#: What is measured and what is wanted of it, by the row's heading.
CASES = {
    "Mandelbrot set": (Case("example", body="mandelbrot"), IRREGULAR),
    "distances of pairs": (Case("example", body="pairs"), IRREGULAR),
    "heat equation": (Case("heat"), REGULAR),
    "stencil": (Case("stencil"), REGULAR),
    "empty loop, hot": (Case("even_loop", idle="hot"), HOT),
    "empty loop, 1 ms of work before": (Case("even_loop", idle="busy"), IDLE),
    "empty loop, 1 ms asleep before": (Case("even_loop", idle="slept"), IDLE),
    "stencil from 2 threads": (Case("clients", tasks=2), CALLERS),
    "stencil from 4 threads": (Case("clients", tasks=4), CALLERS),
    "stencil from 8 threads": (Case("clients", tasks=8), CALLERS),
}


def survivors(names: Sequence[str], case: Case) -> list[str]:
    """The layers whose process lives after a case: it is tried in one that nobody shares."""
    alive = []
    for name in names:
        with suppress(DeadContenderError), Table([name], default_num_threads()) as table:
            table.measure([(name, case)], 1, 0.01)
            alive.append(name)
    return alive


def measure(names: Sequence[str], case: Case, blocks: int, seconds: float) -> list[Measurement]:
    """A case on each layer that survives."""
    if case.section == "clients":
        names = survivors(names, case)
    with Table(names, default_num_threads()) as table:
        return table.measure([(name, case) for name in names], blocks,
                             HOT_SECONDS if case.idle == "hot" else seconds)


def show(console: Console, found: dict[str, list[Measurement]], names: Sequence[str]) -> None:
    """Print the times, then what was wanted of them."""
    medians = {what: {m.contender: m.median for m in row} for what, row in found.items()}
    least = {what: {m.contender: min(m.blocks) for m in row} for what, row in found.items()}
    console.print(_times(medians, names))
    grid = Grid(title="Relative to the best of numba's layers", title_justify="left")
    grid.add_column("", no_wrap=True)
    for heading in ("wanted", "seen", "", "best blocks"):
        grid.add_column(heading)
    for what in found:
        for target, in_best in zip(_targets(what, medians[what]), _targets(what, least[what]),
                                   strict=True):
            grid.add_row(target.what, f"{'<=' if target.at_most else '>='} {target.limit:g}",
                         f"{target.seen:.2f}", "met" if target.met else "[bold]missed[/]",
                         f"{in_best.seen:.2f}")
    console.print(grid)


def _times(medians: dict[str, dict[str, float]], names: Sequence[str]) -> Grid:
    grid = Grid(title="The loops of docs/examples: median time of a call", title_justify="left")
    grid.add_column("")
    for name in names:
        grid.add_column(label(name).replace("LikePool", "Like\nPool"), justify="right")
    for what, row in medians.items():
        grid.add_row(what, *(duration(row[name]) if name in row else "died" for name in names))
    return grid


def _targets(what: str, row: dict[str, float]) -> list[Row]:
    best = min(seconds for name, seconds in row.items() if name not in (*OURS, STATIC))
    _, wanted = CASES[what]
    ours = (*OURS, STATIC) if wanted is REGULAR else OURS
    return [wanted.row(f"{what}, {label(name)}", row[name], best) for name in ours]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.examples", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer blocks, shorter ones")
    quick = parser.parse_args(arguments).quick
    blocks, seconds = (2, 0.01) if quick else (9, 0.1)
    names = present()
    show(wide_console(120), {
        what: measure(names, case, blocks, seconds)
        for what, (case, _) in track(CASES.items(), description="examples", transient=True)
    }, names)
    return 0


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        raise SystemExit(main())
