"""The compiler's own OpenMP runtime, the same bodies."""

from __future__ import annotations

import numpy as np

from .. import native
from ..cases import Case
from .contender import Contender, Prepared, skew_unit


class OpenMP(Contender):
    def __init__(self, threads: int, schedule: str) -> None:
        self.threads, self.schedule = threads, schedule

    def latency(self, case: Case) -> Prepared | None:
        if self.threads < 2:
            return None
        return Prepared(lambda n: native.latency(0, 0, self.threads, case.idle, n),
                        times_itself=True)

    def skewed(self, case: Case) -> Prepared | None:
        unit = skew_unit(case.microseconds, native.CHUNKS)

        def run(count: int) -> np.ndarray:
            return np.array([native.skewed(0, 0, self.threads, self.schedule, unit)
                             for _ in range(count)])

        return Prepared(run, times_itself=True)
