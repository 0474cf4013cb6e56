"""`python -m tests.threadpool_iface.forks [FORKS]`: so many forks (10,000 unless told), of
processes whose other threads run regions, gangs and scheduled tasks, make pools and close them.

Each child must end as it should, in time and silently. `forking.py` says where the forks are made
and what the children do.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from .forking import Outcome

ROOT = Path(__file__).parents[2]
#: Of one process, beside some of the busy threads there are: each sort of fork at least once.
FORKS_AT_ONCE = 200
FORKING = [sys.executable, "-W", "ignore", "-m", "tests.threadpool_iface.forking"]
PARENT = "the parent itself"


def outcomes(command: list[str]) -> Iterator[Outcome]:
    """Of the forks of a process; and its own, if that failed."""
    with tempfile.TemporaryFile() as wrote:
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=wrote)
        assert process.stdout is not None
        with process:
            for line in process.stdout:
                yield Outcome(**json.loads(line))
        if process.returncode:
            wrote.seek(0)
            text = wrote.read().decode(errors="replace")
            yield Outcome(PARENT, "", f"status {process.returncode}\n{text}")


def table_of(lost: list[Outcome]) -> Table:
    table = Table("fork", "beside", "what was wrong", "times")
    counts = Counter((each.fork, each.beside, each.lost.partition("\n")[0]) for each in lost)
    for row, times in counts.items():
        table.add_row(*row, str(times))
    return table


def fork_often(wanted: int, console: Console) -> tuple[int, list[Outcome]]:
    """How many forks were made, and the outcomes that were wrong."""
    made, lost = 0, []
    with Progress(console=console) as progress:
        bar = progress.add_task("forks", total=wanted)
        for seed, first in enumerate(range(0, wanted, FORKS_AT_ONCE)):
            forks = min(FORKS_AT_ONCE, wanted - first)
            for outcome in outcomes([*FORKING, str(seed), str(forks)]):
                made += outcome.fork != PARENT
                if outcome.lost:
                    lost.append(outcome)
                progress.update(bar, completed=made)
    return made, lost


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("forks", nargs="?", type=int, default=10_000, metavar="FORKS")
    console = Console()
    made, lost = fork_often(parser.parse_args(arguments).forks, console)
    if lost:
        console.print(table_of(lost))
        console.print(f"The first of them: {lost[0].lost}", markup=False, highlight=False)
    console.print(f"{made} forks: {len(lost) or 'none'} lost", highlight=False)
    return 1 if lost else 0


if __name__ == "__main__":
    sys.exit(main())
