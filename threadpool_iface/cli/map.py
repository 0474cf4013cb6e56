"""`threadpool-iface map`: how many instances of a program, on how many cores each, do best."""

from __future__ import annotations

import argparse
import shlex
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from ..runtime.mapper import Configuration, Map, Progress, measure
from ..runtime.mapper.configurations import POOLS
from ..runtime.mapper.instances import kept_settings
from ..topology.cpu_pool import CPUPool
from ..topology.files import cpu_list
from ._listing import Section, show

HELP = "find how many instances of a script, on how many cores each, do best"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Of this command."""
    parser.add_argument("--rounds", type=int, default=5, metavar="N",
                        help="runs of each configuration; figures are medians (5)")
    parser.add_argument("--time-limit", type=float, metavar="SECONDS",
                        help="stop then, with what has been measured")
    parser.add_argument("--results", type=Path, metavar="FILE",
                        help="keep runs in this JSON file, and go on with those in it")
    parser.add_argument("--picture", type=Path, metavar="FILE",
                        help="draw throughput and latency, as .png, .svg or .pdf")
    parser.add_argument("--pools", default=",".join(POOLS), metavar="LIST",
                        help="kinds of default pools to try (%(default)s)")
    parser.add_argument("--core-list", metavar="LIST",
                        help="share out these CPUs, such as 0-3,8; by default a hardware thread "
                             "of each core")
    parser.add_argument("--plain", action="store_true", help="print text without colours")
    parser.add_argument("script", help="a Python script, and after it its own arguments")
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)


def run(options: argparse.Namespace) -> int:
    """Measure and print; 2 if the options cannot be obeyed, 1 if nothing could be measured."""
    try:
        with _ended_like_ctrl_c(), _progress(options.plain) as progress:
            found = measure(options.script, options.arguments, cpu_pool=_cores(options.core_list),
                            pools=options.pools.split(","), rounds=options.rounds,
                            time_limit=options.time_limit, results=options.results,
                            progress=progress)
        if not found.runs:
            print(f"threadpool-iface map: error: {_why_nothing(found)}", file=sys.stderr)
            return 1
        show(sections(found), plain=options.plain)
        _print_lines(found, [options.script, *options.arguments])
        if options.picture is not None:
            _draw(found, options.picture)
    except KeyboardInterrupt:
        return 130
    except (ValueError, OSError, ImportError) as error:
        if isinstance(error, BrokenPipeError):
            raise
        print(f"threadpool-iface map: error: {error}", file=sys.stderr)
        return 2
    return 0


def sections(found: Map) -> list[Section]:
    """What is listed."""
    return [
        Section("Instances x cores of each, pool",
                [(str(each), _figures(found, each)) for each in found.runs]),
        Section("Not possible", [(str(each), why) for each, why in found.failed.items()]),
        Section("Settings of yours, kept in every instance",
                [("", " ".join(kept_settings()))] if kept_settings() else []),
    ]


def _print_lines(found: Map, command: list[str]) -> None:
    """What to type, unwrapped, so that it can be copied."""
    for aim, each in (("the most items in a second", found.best_throughput),
                      ("the shortest median", found.best_latency)):
        print(f"\nFor {aim}:\n{launch_line(each, command)}")


def _figures(found: Map, each: Configuration) -> str:
    run = found.runs[each]
    figures = (f"{run.throughput:.4g} items/s, median {1e3 * run.median:.4g} ms, "
               f"p99 {1e3 * run.p99:.4g} ms")
    return "; ".join([figures, *found.marks(each)])


def launch_line(each: Configuration, command: list[str]) -> str:
    """What to type to run the program like this."""
    return shlex.join([
        "threadpool-iface", "launch", "--ninstances", str(each.instances),
        "--ncores-per-instance", str(each.cores), "--pool", each.pool, *command])


def _why_nothing(found: Map) -> str:
    if not found.failed:
        return "the time limit came before the first run had ended"
    each, why = next(iter(found.failed.items()))
    return f"no configuration could run; {each}: {why}"


def _cores(text: str | None) -> CPUPool | None:
    if text is None:
        return None
    numbers = cpu_list(text)
    if not numbers:
        raise ValueError(f"--core-list must be numbers and ranges such as 0-3,8, not {text!r}")
    return CPUPool(numbers)


def _draw(found: Map, path: Path) -> None:
    from ..runtime.mapper.picture import draw

    try:
        draw(found, path)
    except ImportError:
        raise ImportError("--picture needs matplotlib: pip install matplotlib") from None
    print(f"\nPicture: {path}")


@contextmanager
def _progress(plain: bool) -> Iterator[Progress | None]:
    """A bar on standard error, where rich is installed and somebody looks."""
    try:
        if plain or not sys.stderr.isatty():
            raise ImportError
        from rich.console import Console
        from rich.progress import Progress as Bar
    except ImportError:
        yield None
        return
    with Bar(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("")

        def step(done: int, total: int, each: Configuration) -> None:
            bar.update(task, completed=done, total=total, description=str(each))

        yield step


@contextmanager
def _ended_like_ctrl_c() -> Iterator[None]:
    """What ends this program otherwise would leave instances running."""
    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    # One that is ignored stays so: nohup is for going on without a terminal.
    before = {number: signal.signal(number, interrupt)
              for number in (signal.SIGTERM, signal.SIGHUP)
              if signal.getsignal(number) is not signal.SIG_IGN}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
