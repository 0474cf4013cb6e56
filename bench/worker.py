"""A contender's process: prepares cases and times blocks of calls, when it is told to.

Started by `turns` as `python -m bench.worker NAME THREADS FD`.
"""

from __future__ import annotations

import sys
from multiprocessing.connection import Connection
from time import perf_counter, sleep
from typing import Any

import numpy as np

from .cases import Case, sample
from .contenders import create
from .contenders.contender import Prepared

#: Seconds of untimed calls before a turn's first block. A process that was stopped finds its
#: threads on whatever CPU was free at that moment, often the same one, and the kernel moves them
#: apart at its next ticks.
WARM_UP_SECONDS = 0.010
#: Seconds of untimed calls before each further block of a turn: the one before it may have used
#: other threads, or none.
BETWEEN_SECONDS = 0.001
#: Seconds of quiet at the end of a turn: pools go to sleep before the process is stopped, so that
#: waking them is up to them.
REST_SECONDS = 0.005


class Job:
    """One prepared case, and how many calls make a block."""

    def __init__(self, prepared: Prepared, seconds: float) -> None:
        self.prepared = prepared
        self.count = prepared.block or self._calibrate(seconds)

    def _time(self, count: int) -> np.ndarray:
        call = self.prepared.call
        if self.prepared.times_itself:
            return np.asarray(call(count))
        start = perf_counter()
        for _ in range(count):
            call()
        return np.array([(perf_counter() - start) / count])

    def _calibrate(self, seconds: float) -> int:
        self._time(1)  # may compile
        start = perf_counter()
        self._time(3)
        once = max((perf_counter() - start) / 3, 1e-7)
        return max(1, min(100_000, int(seconds / once)))

    def warm_up(self, seconds: float) -> None:
        end = perf_counter() + seconds
        while perf_counter() < end:
            self._time(1)

    def block(self) -> np.ndarray:
        """Seconds per call: of the whole block, or of each call if the body times itself."""
        self.warm_up(BETWEEN_SECONDS)
        return self._time(self.count)

    def check(self) -> np.ndarray | None:
        if self.prepared.result is None or self.prepared.times_itself:
            return None
        return sample(self.prepared.result(self.prepared.call()))


def serve(connection: Connection, name: str, threads: int) -> None:
    """Answer ("prepare", key, case, seconds), ("turn", keys) and ("forget",) until told to stop."""
    contender: Any = create(name, threads)
    jobs: dict[str, Job] = {}

    def prepare(key: str, case: Case, seconds: float) -> tuple[bool, np.ndarray | None]:
        prepared = contender.prepare(case)
        if prepared is None:
            return False, None
        jobs[key] = Job(prepared, seconds)
        return True, jobs[key].check()

    def turn(keys: list[str]) -> list[np.ndarray]:
        jobs[keys[0]].warm_up(WARM_UP_SECONDS)
        times = [jobs[key].block() for key in keys]
        sleep(REST_SECONDS)
        return times

    verbs = {"prepare": prepare, "turn": turn, "forget": jobs.clear}
    connection.send(("ready", None))
    while True:
        verb, *arguments = connection.recv()
        if verb == "stop":
            return
        try:
            connection.send(("done", verbs[verb](*arguments)))
        except Exception as error:
            connection.send(("failed", f"{type(error).__name__}: {error}"))


if __name__ == "__main__":
    serve(Connection(int(sys.argv[3])), sys.argv[1], int(sys.argv[2]))
