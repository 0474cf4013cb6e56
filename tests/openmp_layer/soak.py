"""`python -m tests.openmp_layer.soak [SECONDS]`: each package from eight Python threads for so long
(600 unless told) on each pool. No call may give another result, and none may hang.
"""

from __future__ import annotations

import argparse
import faulthandler
import random
import subprocess
import sys
import threading
import time
import warnings
from collections import Counter

import numpy as np

from threadpool_iface import EigenLikePool, OmpLikePool, openmp_layer, threadpool

POOLS = {"omp": OmpLikePool, "eigen": EigenLikePool}
CALLERS = 8
#: Beyond its time a call is called hung.
PATIENCE_SECONDS = 120


def soak(kind: str, seconds: float) -> int:
    """In a process of its own; how many calls were wrong."""
    openmp_layer.install()
    from bench.packages import installed, work_of

    names = installed()
    works = {name: work_of(name) for name in names}
    expected = {name: works[name]() for name in names}
    faulthandler.dump_traceback_later(seconds + PATIENCE_SECONDS, exit=True)
    end = time.monotonic() + seconds
    calls: Counter[str] = Counter()
    wrong: list[str] = []

    def call(seed: int) -> None:
        choose = random.Random(seed)
        while time.monotonic() < end:
            name = choose.choice(names)
            try:
                with threadpool(pool):
                    np.testing.assert_allclose(works[name](), expected[name], rtol=1e-3, atol=1e-4)
            except Exception as error:
                wrong.append(f"{name}: {error}")
            calls[name] += 1

    with POOLS[kind](2) as pool:
        threads = [threading.Thread(target=call, args=(seed,)) for seed in range(CALLERS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    print(f"{kind}: {sum(calls.values())} calls of {len(names)} packages, {len(wrong)} wrong")
    print(*wrong[:5], sep="\n", end="")
    return len(wrong)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.openmp_layer.soak",
                                     description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("seconds", nargs="?", type=float, default=600.0)
    parser.add_argument("--pool", choices=POOLS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.pool:
        warnings.simplefilter("ignore")
        return soak(options.pool, options.seconds) != 0
    command = [sys.executable, "-m", "tests.openmp_layer.soak", str(options.seconds), "--pool"]
    return max(subprocess.run([*command, kind], check=False).returncode for kind in POOLS)


if __name__ == "__main__":
    raise SystemExit(main())
