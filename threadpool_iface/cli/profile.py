"""`threadpool-iface profile`: where a program's primitives spend their time."""

from __future__ import annotations

import argparse
import json
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Any, TextIO

from ..launcher.commands import program
from ..profiling.lines import Kernel, Sum
from ..profiling.program import Profile, profiled
from ._table import write_table

HELP = "run a program and sum up what its primitives did: calls, time, threads"
_HEADER = ("primitive", "kernel", "ISA", "calls", "ms", "share", "us/call", "threads", "pool",
           "mismatches")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Of this command."""
    parser.add_argument("--by-shape", action="store_true", help="a line for each shape")
    parser.add_argument("--json", action="store_true", help="write one JSON object")
    parser.add_argument("--plain", action="store_true", help="write text without colours")
    parser.add_argument("-o", "--output", type=Path, metavar="FILE",
                        help="write there, not to standard error")
    parser.add_argument("-m", "--module", action="store_true", help="the program is a module")
    parser.add_argument("script", help="the program")
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help="its own arguments")


def run(options: argparse.Namespace) -> int:
    """Run it, and write the sums; the program's exit status, 2 if it cannot be run."""
    try:
        command = program(options.script, options.arguments, module=options.module,
                          no_python=False)
        with (nullcontext(sys.stderr) if options.output is None else
              open(options.output, "w", encoding="utf-8")) as file:
            found = profiled(command, by_shape=options.by_shape)
            _write(found, options, file)
    except (ValueError, OSError) as error:
        print(f"threadpool-iface profile: error: {error}", file=sys.stderr)
        return 2
    return found.code if found.code >= 0 else 128 - found.code


def _write(found: Profile, options: argparse.Namespace, file: TextIO) -> None:
    if options.json:
        file.write(json.dumps(as_dict(found), indent=2) + "\n")
        return
    kernels = found.sums.kernels()
    if kernels:
        header = (*_HEADER, "shape") if options.by_shape else _HEADER
        rows = [_row(kernel, each, found.sums.milliseconds) for kernel, each in kernels]
        write_table(header, [row[: len(header)] for row in rows], file, plain=options.plain)
    calls = sum(each.calls for _, each in kernels)
    file.write(f"{calls} calls of primitives, {found.sums.milliseconds:.1f} ms, in a program of "
               f"{1e3 * found.seconds:.1f} ms\n")


def as_dict(found: Profile) -> dict[str, Any]:
    """What `--json` writes."""
    total = found.sums.milliseconds
    return {
        "exit_code": found.code,
        "seconds": found.seconds,
        "primitives_milliseconds": total,
        "kernels": [
            kernel._asdict() | {
                "calls": each.calls, "milliseconds": each.milliseconds,
                "share": each.milliseconds / total if total else 0.0,
                "threads": list(each.threads), "pools": dict(each.pools),
                "mismatches": [mismatch._asdict() for mismatch in each.mismatches],
            } for kernel, each in found.sums.kernels()],
    }


def _row(kernel: Kernel, each: Sum, total: float) -> tuple[str, ...]:
    share = each.milliseconds / total if total else 0.0
    return (
        kernel.primitive, kernel.kernel, kernel.isa, str(each.calls), f"{each.milliseconds:.1f}",
        f"{100 * share:.1f} %", f"{1e3 * each.milliseconds / each.calls:.1f}",
        " ".join(map(str, each.threads)), " ".join(each.pools),
        ", ".join(f"{created} on {ran}: {calls}x" for created, ran, calls in each.mismatches),
        kernel.shape,
    )
