"""`python -m bench.decompositions`: whole networks, split in every way, on pools of every size.

Each network's convolutions run as a chain on pools of 1, 2, 4 and 8 threads, created for 1 to 56
tasks, split at execution, or created for the pool's own size by the plain cost model, by the model
with a calibration, or by a search. Figures are relative to the plain model's. Takes about ten
minutes on 2 cores.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import Progress
from rich.table import Table as Grid

from .cases import Case
from .console import wide_console
from .outputs import write_json
from .sections import Group
from .shapes import NETWORKS
from .tables import label
from .turns import ContenderError, Table

SIZES = (1, 2, 4, 8)
KINDS = ("omp", "eigen")
MATCHED = "matched"


def _ways(net: str, size: int, quick: bool) -> dict[str, Case]:
    """The matched split first: the others are compared to it."""
    bounds = (1, size) if quick else (1, 2, 4, 8, 16, 56)
    cases = {MATCHED: Case("chain", body=net, bound=size)}
    cases |= {f"for {b}": Case("chain", body=net, bound=b) for b in bounds if b != size}
    cases["at execution"] = Case("chain", body=net, bound="execution")
    for tuning in ("calibrated", "search"):
        cases[tuning] = Case("chain", body=net, bound=size, tuning=tuning)
    return cases


def plan(quick: bool) -> list[tuple[Group, list[str]]]:
    """A group for each network and pool, and the names of its ways to split."""
    nets = ["GoogLeNet v1"] if quick else list(NETWORKS)
    sizes = (2,) if quick else SIZES
    groups = []
    for net in nets:
        for kind in KINDS[:1] if quick else KINDS:
            for size in sizes:
                name = f"{kind}-{size}"
                ways = _ways(net, size, quick)
                group = Group("decompositions", net, label(name), 1, 0,
                              [(name, case) for case in ways.values()])
                groups.append((group, list(ways)))
    return groups


def measure(groups: Sequence[tuple[Group, list[str]]], quick: bool, console: Console) -> None:
    with Progress(console=console) as progress:
        bar = progress.add_task("", total=len(groups))
        for group, _ in groups:
            progress.update(bar, description=f"{group.network}, {group.label}")
            with Table([group.jobs[0][0]], 2) as table:
                group.measurements = table.measure(group.jobs, 3 if quick else 7, 0.01)
            progress.advance(bar)


def grid(groups: Sequence[tuple[Group, list[str]]]) -> Grid:
    headings = list(dict.fromkeys(way for _, ways in groups for way in ways[1:]))
    table = Grid(title="Convolutions in a chain: time relative to layers created for the pool's "
                 "size", title_justify="left")
    for heading in ("", "", "ms", *headings):
        table.add_column(heading, justify="right" if heading else "left")
    for group, ways in groups:
        seconds = {way: m.median for way, m in zip(ways, group.measurements, strict=True)}
        own = seconds[MATCHED]
        table.add_row(group.network, group.label, f"{1e3 * own:.1f}",
                      *(f"{seconds[h] / own:.2f}" if h in seconds else "1" for h in headings))
    return table


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.decompositions", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one network, one pool")
    parser.add_argument("--output", type=Path, default=Path("bench-results"), metavar="DIR",
                        help="folder for the JSON (default: %(default)s)")
    options = parser.parse_args(argv)
    console = wide_console()
    groups = plan(options.quick)
    try:
        measure(groups, options.quick, console)
    except (ContenderError, RuntimeError) as error:
        print(f"python -m bench.decompositions: {error}", file=sys.stderr)
        return 1
    console.print(grid(groups))
    options.output.mkdir(parents=True, exist_ok=True)
    write_json(options.output / "decompositions.json", [group for group, _ in groups])
    return 0


if __name__ == "__main__":
    sys.exit(main())
