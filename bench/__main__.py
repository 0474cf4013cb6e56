"""`python -m bench`: the whole comparison, with tables, a picture and pytest-benchmark's JSON."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from threadpool_iface import default_num_threads

from .console import note_missing, wide_console
from .contenders import CONTENDERS, missing
from .sections import FULL, QUICK, SECTIONS, Group, groups, run
from .shapes import Conv, Gemm, ShapeError, read_shapes
from .tables import show, winner
from .turns import ContenderError, Table

EPILOG = """sections: 1 latency of a region, 2 a skewed loop, 3 GEMM, 4 the convolution layers of
ResNet-50 v1.5 and GoogLeNet v1, 5 the same layers created for 1 to 56 tasks or split at execution.
torch and onnxruntime take part when they are installed."""


def arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__, epilog=EPILOG)
    parser.add_argument("--quick", action="store_true",
                        help="every section on a few shapes, about 20 seconds")
    parser.add_argument("--sections", type=_choices("section", SECTIONS), default=SECTIONS,
                        metavar="A,B", help=f"some of {','.join(SECTIONS)}")
    parser.add_argument("--contenders", type=_choices("contender", tuple(CONTENDERS)),
                        default=tuple(CONTENDERS), metavar="A,B",
                        help=f"some of {','.join(CONTENDERS)}")
    parser.add_argument("--threads", type=_threads, default=default_num_threads(), metavar="N",
                        help="threads of every contender (default: this machine's, %(default)s)")
    parser.add_argument("--shapes", type=Path, metavar="FILE",
                        help="convolutions or matmuls in benchdnn's format, instead of our lists")
    parser.add_argument("--output", type=Path, default=Path("bench-results"), metavar="DIR",
                        help="folder for the JSON and the picture (default: %(default)s)")
    return parser.parse_args(argv)


def _choices(kind: str, allowed: tuple[str, ...]):
    def parse(text: str) -> tuple[str, ...]:
        chosen = tuple(part.strip() for part in text.split(",") if part.strip())
        unknown = [part for part in chosen if part not in allowed]
        if unknown or not chosen:
            named = ", ".join(map(repr, unknown)) or repr(text)
            raise argparse.ArgumentTypeError(
                f"no {kind} {named}; there are {', '.join(allowed)}")
        return chosen

    return parse


def _threads(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 4096:
        raise argparse.ArgumentTypeError(f"must be a number in 1..4096, not {text!r}")
    return int(text)


def _plan(options: argparse.Namespace, shapes: list[Conv | Gemm] | None) -> list[Group]:
    present = [name for name in options.contenders if not missing(name)]
    sections = [s for s in SECTIONS if s in options.sections]
    if shapes:
        kinds = {"conv" if isinstance(shape, Conv) else "gemm" for shape in shapes}
        kinds |= {"decomposition"} if "conv" in kinds else set()
        sections = [s for s in sections if s in kinds]
    return [g for s in sections for g in groups(s, present, options.quick, shapes)]


def _shapes(path: Path) -> list[Conv | Gemm]:
    """The shapes of a file, all of which some section measures."""
    found: list[Conv | Gemm] = []
    for shape in read_shapes(path):
        if not isinstance(shape, (Conv, Gemm)):
            raise ShapeError(f"{path}: no section measures poolings or batches of matrices, such "
                             f"as {shape.name or shape}")
        found.append(shape)
    return found


def _measure(plan: list[Group], options: argparse.Namespace, console: Console) -> None:
    names = list(dict.fromkeys(name for group in plan for name, _ in group.jobs))
    effort = QUICK if options.quick else FULL
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
               TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        bar = progress.add_task("starting contenders", total=len(plan))
        with Table(names, options.threads) as table:
            for group in plan:
                progress.update(bar, description=f"{group.section}: {group.network} {group.label}")
                run(group, table, effort)
                progress.advance(bar)


def _report(plan: list[Group], options: argparse.Namespace, console: Console) -> None:
    from .outputs import draw, write_json

    options.output.mkdir(parents=True, exist_ok=True)
    results, picture = options.output / "benchmark.json", options.output / "benchmark.png"
    sections = list(dict.fromkeys(group.section for group in plan))
    for section in sections:
        show(console, section, [g for g in plan if g.section == section], options.threads)
    console.print()
    for section in sections:
        sentence = winner(section, [g for g in plan if g.section == section], options.threads)
        if sentence:
            console.print(sentence, highlight=False)
    write_json(results, plan)
    draw(picture, plan, options.threads)
    console.print(f"\nJSON for `pytest-benchmark compare {results}`\npicture {picture}",
                  highlight=False, soft_wrap=True)


def main(argv: Sequence[str] | None = None) -> int:
    options = arguments(argv)
    console = wide_console()
    try:
        shapes = _shapes(options.shapes) if options.shapes else None
        options.output.mkdir(parents=True, exist_ok=True)
    except (ShapeError, OSError) as error:
        print(f"python -m bench: {error}", file=sys.stderr)
        return 2
    note_missing(console, options.contenders)
    plan = _plan(options, shapes)
    if not plan:
        print("python -m bench: no chosen contender takes part in a chosen section",
              file=sys.stderr)
        return 2
    try:
        _measure(plan, options, console)
    except (ContenderError, RuntimeError) as error:
        print(f"python -m bench: {error}", file=sys.stderr)
        return 1
    _report(plan, options, console)
    return 0


if __name__ == "__main__":
    sys.exit(main())
