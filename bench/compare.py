"""`python -m bench.compare`: has one of our figures become worse since the run before?

Compares two files that `python -m bench` wrote, by default the last two. Machines drift, so what
counts is our time relative to the fastest peer of the same problem in the same run; where a problem
has no peer, the time itself. Exits with 1 if one grew by more than the tolerance.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .contenders import CONTENDERS
from .outputs import previous

#: Modules of contenders that are ours.
OURS = ("ours", "independent")


@dataclass(frozen=True)
class Change:
    """One contender on one problem: seconds or ratio to the best peer, before and after."""

    name: str
    before: float
    after: float
    against: str  # the peer, or "" for seconds

    @property
    def growth(self) -> float:
        return self.after / self.before

    def __str__(self) -> str:
        unit = f" of {self.against}'s time" if self.against else " s"
        return (f"{self.growth:5.2f}x  {self.before:.4g} -> {self.after:.4g}{unit}  {self.name}")


def _is_ours(contender: str) -> bool:
    entry = CONTENDERS.get(contender)
    return entry is not None and entry.module in OURS


def _problems(path: Path) -> dict[str, dict[str, float]]:
    """Median seconds by problem and contender."""
    try:
        document: dict[str, Any] = json.loads(path.read_text())
        found: dict[str, dict[str, float]] = {}
        for benchmark in document["benchmarks"]:
            contender = benchmark["params"]["contender"]
            found.setdefault(benchmark["group"], {})[contender] = benchmark["stats"]["median"]
        return found
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SystemExit(f"python -m bench.compare: {path} is not a file that python -m bench "
                         f"wrote ({type(error).__name__}: {error})") from None


def changes(
    before: dict[str, dict[str, float]], after: dict[str, dict[str, float]]
) -> list[Change]:
    """Every figure of ours that both runs have."""
    found = []
    for problem, seconds in after.items():
        known = before.get(problem, {})
        peers = [name for name in seconds if name in known and not _is_ours(name)]
        best = min(peers, key=seconds.__getitem__, default="")
        for name in seconds:
            if name in known and _is_ours(name):
                scale = (known[best], seconds[best]) if best else (1.0, 1.0)
                found.append(Change(f"{problem}, {name}", known[name] / scale[0],
                                    seconds[name] / scale[1], best))
    return found


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.compare", description=__doc__)
    after = Path("bench-results/benchmark.json")
    parser.add_argument("before", nargs="?", type=Path, default=previous(after),
                        help="the earlier run (default: %(default)s)")
    parser.add_argument("after", nargs="?", type=Path, default=after,
                        help="the later run (default: %(default)s)")
    parser.add_argument("--tolerance", type=float, default=0.15, metavar="SHARE",
                        help="growth that is noise (default: %(default)s)")
    options = parser.parse_args(argv)
    found = sorted(changes(_problems(options.before), _problems(options.after)),
                   key=lambda change: -change.growth)
    worse = [change for change in found if change.growth > 1 + options.tolerance]
    for change in worse:
        print(change)
    print(f"{len(worse)} of {len(found)} figures grew by more than {options.tolerance:.0%}")
    return 1 if worse or not found else 0


if __name__ == "__main__":
    sys.exit(main())
