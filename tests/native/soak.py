"""`python -m tests.native.soak [REGIONS]`: so many regions (10 million unless told) of random
sizes, callers, pools, gangs, asynchronous ones and errors, without a sanitizer, at full speed.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from rich.progress import Progress

from .building import build_stress

#: Of the stress program, in each of its processes: some 300,000 regions.
ROUNDS = 20_000


def main() -> int:
    wanted = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000_000
    done = seed = 0
    with tempfile.TemporaryDirectory() as folder, Progress() as progress:
        program = build_stress(Path(folder), "-O2")
        bar = progress.add_task("regions", total=wanted)
        while done < wanted:
            seed += 1
            run = subprocess.run([program, str(seed), str(ROUNDS), "600"], capture_output=True,
                                 text=True, check=False)
            if run.returncode:
                print(f"failed with {run.returncode}, seed {seed}: {run.stderr[-2000:]}")
                return 1
            done += int(run.stdout.split()[1])
            progress.update(bar, completed=done)
    print(f"{done} regions, {seed} seeds: nothing lost")
    return 0


if __name__ == "__main__":
    sys.exit(main())
