"""`threadpool-iface calibrate`: measures the machine and keeps the figures for the cost model."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

HELP = "measure this machine once, so that primitives split their work by its figures"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Of this command."""
    parser.add_argument("--show", action="store_true", help="print the figures that are kept")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(options: argparse.Namespace) -> int:
    """Measure and keep, or show."""
    from . import calibration

    if options.show:
        measured = calibration.stored()
        if not measured:
            print("this machine has not been calibrated", file=sys.stderr)
            return 1
        path = ""
    else:
        measured = calibration.measure(lambda step: print(f"measuring {step} ...", file=sys.stderr))
        try:
            path = calibration.store(measured)
        except OSError as error:
            print(f"threadpool-iface calibrate: {error}", file=sys.stderr)
            return 1
    print(json.dumps(measured, indent=2) if options.json else _text(measured, path))
    return 0


def _text(measured: dict[str, Any], path: str) -> str:
    lines = [f"{measured['machine']['cpu']}, {measured['machine']['isa']}",
             f"  arithmetic of one thread   {measured['costs']['flops_per_second'] / 1e9:.0f} "
             "GFLOP/s in float32"]
    caches = ", ".join(map(_size, measured["caches"].items()))
    lines.append(f"  caches                     {caches or 'the system does not tell'}")
    lines += [f"  copies in {place:<16} {rate / 1e9:.1f} GB/s"
              for place, rate in measured["copy_bytes_per_second"].items()]
    lines += [f"  region of {measured['threads']}, {kind:<14} {seconds * 1e6:.2f} us"
              for kind, seconds in measured["region_seconds"].items()]
    if path:
        lines.append(f"kept in {path}; primitives made from now on are split by it")
    return "\n".join(lines)


def _size(cache: tuple[str, int]) -> str:
    name, nbytes = cache
    return f"{name} {nbytes >> 10} KiB" if nbytes < 1 << 20 else f"{name} {nbytes / 2**20:g} MiB"
