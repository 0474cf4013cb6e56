"""`python -m bench.pools`: what the pools themselves cost, beside other runtimes, timed from C.

Every contender runs the same C bodies, in a process of its own and in turns. Unlike `bench` it has
no kernels, but for the GEMM beside a busy neighbour.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import exp, log
from pathlib import Path

from rich.console import Console
from rich.progress import Progress
from rich.table import Table as Grid

from threadpool_iface import default_num_threads

from .cases import Case
from .console import note_missing, wide_console
from .contenders import missing
from .contenders.native_pool import SKEWS
from .sections import Group
from .shapes import Gemm
from .shapes.googlenet import BLOCKS
from .tables import duration, label
from .turns import ContenderError, Measurement, Table

RUNTIMES = ("omp", "eigen", "libgomp", "libomp", "libiomp5", "tbb", "eigen-ref")
LOOPS = ("sequential", "omp", "omp-dynamic", "eigen", "libgomp", "libgomp-dynamic",
         "libomp-dynamic", "tbb", "tbb-auto", "eigen-ref")
PAIRS = ("omp", "eigen", "omp+omp", "eigen+eigen", "omp+eigen")
INDEPENDENT = tuple(f"{pool} {how}" for pool in ("omp", "eigen")
                    for how in ("in turn", "one pool", "own pools"))
MULTIPLIERS = ("omp", "eigen", "numpy", "torch")
STATIC = ("omp", "libgomp", "libomp", "libiomp5")
DYNAMIC = ("omp-dynamic", "eigen", "libgomp-dynamic", "libomp-dynamic", "tbb", "tbb-auto",
           "eigen-ref")
#: Threads for each CPU where there are too many.
OVERSUBSCRIPTION = 4
TASK_MICROSECONDS = 100.0
NEIGHBOUR_GEMM = Gemm(256, 256, 256)
QUIET, BUSY = "quiet", "busy neighbour"


@dataclass(frozen=True)
class Plan:
    """How many threads, and how long to measure: blocks for each contender, seconds in a block."""

    threads: int
    blocks: int
    seconds: float
    sizes: tuple[int, ...]  # microseconds of a loop
    rounds: int  # with and without a neighbour


def plan(quick: bool) -> Plan:
    threads = default_num_threads()
    return Plan(threads, 3, 0.02, (500,), 1) if quick else Plan(
        threads, 6, 0.08, (50, 500, 5000), 3)


def present(names: Sequence[str]) -> list[str]:
    return [name for name in names if not missing(name)]


def _group(section: str, text: str, names: Sequence[str], case: Case) -> Group:
    return Group(section, "", text, 1, 0, [(name, case) for name in present(names)])


def _measured(groups: list[Group], threads: int, how: Plan) -> list[Group]:
    names = dict.fromkeys(name for group in groups for name, _ in group.jobs)
    with Table(names, threads) as table:
        for group in groups:
            group.measurements = table.measure(group.jobs, how.blocks, how.seconds)
    return groups


# -- the experiments -----------------------------------------------------------------------------


def latency(how: Plan) -> list[Group]:
    """Rendezvous tasks, one for each thread."""
    return _measured([_group("latency", idle, RUNTIMES, Case("latency", idle=idle))
                      for idle in ("hot", "slept", "busy")], how.threads, how)


def python_calls(how: Plan) -> list[Group]:
    """`parallel` with a native task that returns at once, called from Python."""
    return _measured([_group("python", "call", ("omp", "eigen"), Case("python_call"))],
                     how.threads, how)


def loops(how: Plan) -> list[Group]:
    """Loops of 64 chunks of uneven cost."""
    return _measured([
        _group("loop", f"{skew}, {us} us", LOOPS, Case("loop", microseconds=us, skew=skew))
        for us in how.sizes for skew in SKEWS], how.threads, how)


def oversubscribed(how: Plan) -> list[Group]:
    """More threads than CPUs, one task for each."""
    size = OVERSUBSCRIPTION * how.threads
    empty = Case("regions", body="empty", tasks=size)
    work = Case("regions", body="delay", tasks=size, microseconds=TASK_MICROSECONDS)
    return _measured([
        _group("oversubscribed", f"{size} empty tasks", RUNTIMES, empty),
        _group("oversubscribed", f"{size} tasks of {TASK_MICROSECONDS:g} us",
               ("sequential", *RUNTIMES), work)], size, how)


def two_pools(how: Plan) -> list[Group]:
    """Regions on two pools in turn, each as large as the machine; and on one, to compare."""
    return _measured([_group("two pools", f"{body} tasks", PAIRS, Case("regions", body=body))
                      for body in ("empty", "rendezvous")], how.threads, how)


@contextmanager
def busy_neighbour() -> Iterator[None]:
    """A process that keeps one CPU busy."""
    cpu = max(os.sched_getaffinity(0))
    code = f"import os\nos.sched_setaffinity(0, [{cpu}])\nprint(flush=True)\nwhile True: pass"
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(0.1)  # the scheduler takes a while to see that this CPU is taken
        yield
    finally:
        process.kill()
        process.communicate()


def _merge(group: Group, more: Sequence[Measurement]) -> None:
    for known in group.measurements:
        known.blocks += next(m.blocks for m in more if m.contender == known.contender)
    group.measurements = group.measurements or list(more)


def neighbour(how: Plan) -> list[Group]:
    """A GEMM with and without a neighbour that spins on one of the CPUs."""
    quiet, busy = (_group("neighbour", text, MULTIPLIERS, Case("gemm", NEIGHBOUR_GEMM))
                   for text in (QUIET, BUSY))
    with Table(dict(quiet.jobs), how.threads) as table:
        for _ in range(how.rounds):
            _merge(quiet, table.measure(quiet.jobs, how.blocks, how.seconds))
            with busy_neighbour():
                _merge(busy, table.measure(busy.jobs, how.blocks, how.seconds))
    return [quiet, busy]


def overheads(how: Plan) -> list[Group]:
    """EPCC syncbench: what a region and a barrier take beyond the delay in them."""
    return _measured([
        _group("overhead", "region", RUNTIMES, Case("region_overhead")),
        _group("overhead", "barrier", RUNTIMES, Case("barrier_overhead"))], how.threads, how)


def schedules(how: Plan) -> list[Group]:
    """EPCC schedbench: what a loop takes beyond each thread's share of its delays."""
    static = _group("schedule", "static", STATIC, Case("loop_overhead", chunk=1))
    return _measured([static, *(
        _group("schedule", f"dynamic, {chunk}", DYNAMIC, Case("loop_overhead", chunk=chunk))
        for chunk in (1, 8, 64))], how.threads, how)


def independent(how: Plan) -> list[Group]:
    """Operations that do not need each other: the branches of GoogLeNet's blocks, and two relus."""
    blocks = [_group("independent", f"block {name}", INDEPENDENT, Case("branches", body=name))
              for name in BLOCKS]
    return _measured([*blocks, _group("independent", "antirectifier", INDEPENDENT,
                                      Case("antirectifier"))], how.threads, how)


# -- the tables ----------------------------------------------------------------------------------

Cell = Callable[[Group, Measurement], str]


def _grid(title: str, groups: Sequence[Group], cell: Cell, without: str = "") -> Grid:
    names = [name for name in dict.fromkeys(m.contender for g in groups for m in g.measurements)
             if name != without]
    grid = Grid(title=title, title_justify="left")
    grid.add_column("")
    for name in names:
        grid.add_column(label(name), justify="right")
    for group in groups:
        mine = {m.contender: m for m in group.measurements}
        grid.add_row(group.label, *(cell(group, mine[n]) if n in mine else "-" for n in names))
    return grid


def _median_p99(group: Group, m: Measurement) -> str:
    return f"{duration(m.median)}\n[dim]p99 {duration(m.p99)}[/]"


def _microseconds(group: Group, m: Measurement) -> str:
    return f"{m.median * 1e6:.2f}"


def _of(group: Group, name: str) -> float:
    return next(m.median for m in group.measurements if m.contender == name)


def _speed_up(group: Group, m: Measurement) -> str:
    return f"{_of(group, 'sequential') / m.median:.2f}"


def _times(title: str) -> Callable[[Sequence[Group]], Grid]:
    return lambda groups: _grid(title, groups, _median_p99)


def speed_up_means(groups: Sequence[Group]) -> dict[str, float]:
    """Geometric mean over the loops of each contender's speed-up."""
    logs: dict[str, list[float]] = {}
    for group in groups:
        for m in group.measurements:
            logs.setdefault(m.contender, []).append(log(_of(group, "sequential") / m.median))
    return {name: exp(sum(values) / len(values)) for name, values in logs.items()}


def _loops_grid(groups: Sequence[Group]) -> Grid:
    grid = _grid("Loops of 64 chunks, speed-up over sequential", groups, _speed_up, "sequential")
    means = speed_up_means(groups)
    grid.add_section()
    grid.add_row("geometric mean", *(f"{v:.2f}" for n, v in means.items() if n != "sequential"))
    return grid


def _oversubscribed_grid(groups: Sequence[Group]) -> Grid:
    cpus = default_num_threads()

    def cell(group: Group, m: Measurement) -> str:
        if group is groups[0]:
            return _median_p99(group, m)
        ideal = _of(group, "sequential") / cpus
        return f"{m.median / ideal:.2f}x\n[dim]p99 {m.p99 / ideal:.2f}x[/]"

    return _grid(f"{OVERSUBSCRIPTION} threads for each of {cpus} CPUs: time; and time / ideal",
                 groups, cell, "sequential")


def _neighbour_grid(groups: Sequence[Group]) -> Grid:
    quiet = groups[0]

    def cell(group: Group, m: Measurement) -> str:
        extra = f"\n[dim]{m.median / _of(quiet, m.contender):.2f}x[/]" if group is not quiet else ""
        return duration(m.median) + extra

    return _grid(f"GEMM {NEIGHBOUR_GEMM} while another process spins on one CPU", groups, cell)


@dataclass(frozen=True)
class Experiment:
    """What measures it, and what shows its groups."""

    measure: Callable[[Plan], list[Group]]
    grid: Callable[[Sequence[Group]], Grid]


EXPERIMENTS = {
    "latency": Experiment(latency, _times(
        "Region of rendezvous tasks, hot; or 1 ms after the last, which the caller slept or "
        "worked")),
    "python-calls": Experiment(python_calls, _times(
        "parallel(2, native task) from Python, the task returning at once")),
    "loops": Experiment(loops, _loops_grid),
    "oversubscribed": Experiment(oversubscribed, _oversubscribed_grid),
    "two-pools": Experiment(two_pools, _times("Regions on two pools in turn, or on one")),
    "neighbour": Experiment(neighbour, _neighbour_grid),
    "independent": Experiment(independent, _times(
        "Four branches of each block of GoogLeNet, and the antirectifier, one after the other or "
        "at once")),
    "overheads": Experiment(overheads, lambda groups: _grid(
        "Overhead of a region and of a barrier, us (EPCC syncbench's method)", groups,
        _microseconds)),
    "schedules": Experiment(schedules, lambda groups: _grid(
        "Overhead of a loop of 1024 iterations of 0.1 us, us (EPCC schedbench's method)", groups,
        _microseconds)),
}


# -- the program ---------------------------------------------------------------------------------


def _experiments(text: str) -> tuple[str, ...]:
    chosen = tuple(filter(None, text.split(",")))
    unknown = [name for name in chosen if name not in EXPERIMENTS]
    if unknown or not chosen:
        raise argparse.ArgumentTypeError(
            f"no experiment {', '.join(unknown) or repr(text)}; there are "
            f"{', '.join(EXPERIMENTS)}")
    return chosen


def arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.pools", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="short blocks, one size of loop")
    parser.add_argument("--experiments", type=_experiments, default=tuple(EXPERIMENTS),
                        metavar="A,B", help=f"some of {','.join(EXPERIMENTS)}")
    parser.add_argument("--output", type=Path, default=Path("bench-results"), metavar="DIR",
                        help="folder for the JSON (default: %(default)s)")
    return parser.parse_args(argv)


def _measure(chosen: Sequence[str], how: Plan, console: Console) -> dict[str, list[Group]]:
    groups = {}
    with Progress(console=console) as progress:
        bar = progress.add_task("", total=len(chosen))
        for name in chosen:
            progress.update(bar, description=name)
            groups[name] = EXPERIMENTS[name].measure(how)
            progress.advance(bar)
    return groups


def main(argv: Sequence[str] | None = None) -> int:
    from .outputs import write_json

    options = arguments(argv)
    console = wide_console()
    note_missing(console, (*RUNTIMES, *LOOPS, *MULTIPLIERS))
    try:
        groups = _measure(options.experiments, plan(options.quick), console)
    except (ContenderError, RuntimeError) as error:
        print(f"python -m bench.pools: {error}", file=sys.stderr)
        return 1
    for name, mine in groups.items():
        console.print(EXPERIMENTS[name].grid(mine))
    options.output.mkdir(parents=True, exist_ok=True)
    path = options.output / "pools.json"
    write_json(path, [group for mine in groups.values() for group in mine])
    console.print(f"JSON for `pytest-benchmark compare {path}`", highlight=False, soft_wrap=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
