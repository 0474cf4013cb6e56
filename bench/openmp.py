"""`python -m bench.openmp`: OpenMP programs on our pools, beside libgomp's own threads.

One caller, libraries in turn, Python threads at once, a busy neighbour, and what OpenMP's
constructs cost. Every contender has a process of its own, and they take turns.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from rich.table import Table as Grid

from threadpool_iface import default_num_threads, openmp_layer

from . import packages
from .blas import per_call
from .cases import Case
from .console import wide_console
from .pools import busy_neighbour
from .tables import duration, label
from .turns import ContenderError, Measurement, Table

OWN, OMP, EIGEN = "openmp own", "openmp omp", "openmp eigen"
NAMES = (OWN, OMP, EIGEN)
OPERATIONS = ("torch mm", "torch conv", "torch relu", "torch sum")
TURNS = ("numpy + torch mm", "prange + numpy + matmul + torch mm")
TOGETHER = ("HistGradientBoosting", "KMeans", "LightGBM", "XGBoost", "faiss")
#: What the layer is held to, relative to libgomp: the time of one caller; of libraries in turn,
#: relative to the sum of each alone, and their p99 to the median; of several callers of torch their
#: throughput and p99, of other packages their throughput; beside a busy process, time / quiet.
MOST_ALONE, MOST_IN_TURN, MOST_TAIL = 1.05, 1.1, 1.5
LEAST_THROUGHPUT, MOST_P99, LEAST_TOGETHER, MOST_BESIDE = 0.98, 0.7, 1.1, 2.2
#: Two streams of half of the cores, relative to one of all.
LEAST_STREAMS = 1.0
SOURCE = Path(__file__).with_name("openmp_overheads.c")


@dataclass(frozen=True)
class Plan:
    """How many blocks for each contender, and rounds of the constructs."""

    blocks: int
    rounds: int


def _case(body: str, callers: int = 1) -> Case:
    return Case("openmp", body=body, tasks=callers)


def _measure(table: Table, how: Plan, body: str, callers: int = 1) -> dict[str, Measurement]:
    found = table.measure([(name, _case(body, callers)) for name in NAMES], how.blocks, 0.0)
    return {m.contender: m for m in found}


def _mark(good: bool) -> str:
    return " [green]met[/]" if good else " [red]missed[/]"


def _grid(title: str) -> Grid:
    return Grid("", *map(label, NAMES), title=title, title_justify="left")


def _works() -> list[str]:
    torch = OPERATIONS if find_spec("torch") else ()
    return [*torch, *packages.installed()]


def one_caller(table: Table, how: Plan) -> Grid:
    """Time of a call, and relative to libgomp's threads."""
    grid = _grid("One caller: median and p99 of a call; relative to libgomp (at most "
                 f"{MOST_ALONE})")
    for body in _works():
        ms = _measure(table, how, body)
        cells = [f"{duration(m.median)}, {duration(m.p99)}" for m in ms.values()]
        for i, name in enumerate(NAMES[1:], 1):
            ratio = ms[name].median / ms[OWN].median
            cells[i] += f"\n{ratio:.2f}x{_mark(ratio <= MOST_ALONE)}"
        grid.add_row(body, *cells)
    return grid


def in_turn(table: Table, how: Plan) -> Grid:
    """Several libraries one after the other in one thread."""
    grid = _grid("Libraries in turn: median and p99; relative to the sum of each alone on that "
                 f"pool (at most {MOST_IN_TURN}), p99 / median (at most {MOST_TAIL})")
    if not find_spec("torch"):
        return grid
    alone: dict[str, dict[str, Measurement]] = {}
    for body in TURNS:
        for part in body.split(" + "):
            if part not in alone:
                alone[part] = _measure(table, how, part)
        ms = _measure(table, how, body)
        cells = []
        for name in NAMES:
            ratio = ms[name].median / sum(alone[part][name].median for part in body.split(" + "))
            tail = ms[name].p99 / ms[name].median
            good = ratio <= MOST_IN_TURN and tail <= MOST_TAIL
            cells.append(f"{duration(ms[name].median)}, {duration(ms[name].p99)}\n{ratio:.2f}x, "
                         f"{tail:.1f}" + (_mark(good) if name != OWN else ""))
        grid.add_row(body, *cells)
    return grid


def several_callers(table: Table, how: Plan) -> Grid:
    """Python threads that call at the same time."""
    grid = _grid("Python threads at once: throughput and p99 relative to libgomp (torch at least "
                 f"{LEAST_THROUGHPUT} and at most {MOST_P99}; others at least {LEAST_TOGETHER})")
    torch = [("torch mm", 4), ("torch mm", 8)] if find_spec("torch") else []
    there = [(name, 4) for name in TOGETHER if name in packages.installed()]
    for body, callers in [*torch, *there]:
        ms = _measure(table, how, body, callers)
        cells = [f"{1 / per_call(ms[OWN]) * callers:.4g}/s, {duration(ms[OWN].p99)}"]
        for name in NAMES[1:]:
            gain, tail = per_call(ms[OWN]) / per_call(ms[name]), ms[name].p99 / ms[OWN].p99
            good = (gain >= LEAST_THROUGHPUT and tail <= MOST_P99 if body == "torch mm"
                    else gain >= LEAST_TOGETHER)
            cells.append(f"{gain:.2f}x, {tail:.2f}x{_mark(good)}")
        grid.add_row(f"{callers} of {body}", *cells)
    return grid


def streams(table: Table, how: Plan) -> Grid:
    """PyTorch's convolutions over two streams, each on half of the cores."""
    grid = _grid("ResNet-50's convolutions in torch, batch 8: speed of two streams relative to one "
                 f"on all cores (at least {LEAST_STREAMS})")
    if not find_spec("torch"):
        return grid
    one, two = (_measure(table, how, count) for count in ("one stream", "two streams"))
    speeds = [one[name].median / two[name].median for name in NAMES]
    grid.add_row("two streams", *(f"{duration(two[name].median)}, {speed:.2f}x"
                                  f"{_mark(speed >= LEAST_STREAMS)}"
                                  for name, speed in zip(NAMES, speeds, strict=True)))
    return grid


def beside_a_neighbour(table: Table, how: Plan) -> Grid:
    """A process that spins on one CPU."""
    grid = _grid(f"Beside a process that spins on one CPU: time / quiet (at most {MOST_BESIDE})")
    if not find_spec("torch"):
        return grid
    quiet = _measure(table, how, "torch mm")
    with busy_neighbour():
        busy = _measure(table, how, "torch mm")
    ratios = [busy[name].median / quiet[name].median for name in NAMES]
    grid.add_row("torch mm", f"{ratios[0]:.2f}x",
                 *(f"{ratio:.2f}x{_mark(ratio <= MOST_BESIDE)}" for ratio in ratios[1:]))
    return grid


def constructs(table: Table, how: Plan) -> Grid:
    """EPCC's microbenchmarks, in processes without Python."""
    grid = _grid("What constructs cost beyond their work, us (EPCC's microbenchmarks; at most "
                 "libgomp's)")
    costs = overheads(table.threads, how.rounds)
    for construct, of_own in costs[OWN].items():
        cells = [f"{of_own:.3f}"]
        for name in NAMES[1:]:
            cost = costs[name][construct]
            cells.append(f"{cost:.3f}{_mark(cost <= of_own)}")
        grid.add_row(construct, *cells)
    return grid


def overheads(threads: int, rounds: int) -> dict[str, dict[str, float]]:
    """Microseconds of each construct, medians over rounds in turns."""
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder) / "overheads"
        subprocess.run(["gcc", "-O2", "-fopenmp", str(SOURCE), "-o", str(program)], check=True)
        processes = {name: _start(program, name, threads) for name in NAMES}
        found: dict[str, list[dict[str, float]]] = {name: [] for name in NAMES}
        for _ in range(rounds):
            for name, process in processes.items():
                found[name].append(_round(process))
        for process in processes.values():
            process.communicate()
    return {name: {key: float(np.median([each[key] for each in each_round])) for key in
                   each_round[0]} for name, each_round in found.items()}


def _start(program: Path, name: str, threads: int) -> subprocess.Popen[str]:
    env = {**os.environ, "OMP_NUM_THREADS": str(threads)}
    if name != OWN:
        env |= {"LD_PRELOAD": openmp_layer.path(), "THREADPOOL_IFACE_OPENMP": "preload",
                "THREADPOOL_IFACE_POOL": "omp" if name == OMP else "eigen"}
    return subprocess.Popen([program], env=env, text=True, stdin=subprocess.PIPE,
                            stdout=subprocess.PIPE)


def _round(process: subprocess.Popen[str]) -> dict[str, float]:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("\n")
    process.stdin.flush()
    words = process.stdout.readline().split()
    return dict(zip(words[::2], map(float, words[1::2]), strict=True))


EXPERIMENTS = {"one": one_caller, "turns": in_turn, "callers": several_callers,
               "streams": streams, "neighbour": beside_a_neighbour, "constructs": constructs}


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.openmp", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer blocks")
    parser.add_argument("--experiments", nargs="+", choices=EXPERIMENTS, default=list(EXPERIMENTS))
    options = parser.parse_args(argv)
    how = Plan(2, 2) if options.quick else Plan(9, 9)
    console = wide_console(130)
    try:
        with Table(NAMES, default_num_threads()) as table:
            for name in options.experiments:
                console.print(EXPERIMENTS[name](table, how))
    except ContenderError as error:
        print(f"python -m bench.openmp: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
