"""The compiler's own OpenMP runtime, the same bodies."""

from __future__ import annotations

import numpy as np

from .. import native
from ..cases import Case
from ..native import peers
from ..native.peers import Peer
from .contender import Prepared, skew_unit
from .native_pool import NativePool


class OpenMP(NativePool):
    def __init__(self, threads: int, schedule: str) -> None:
        self.threads, self.schedule = threads, schedule
        self._pool = peers.gomp(threads, schedule == "dynamic")

    def gang(self) -> Peer:
        return self._pool

    def latency(self, case: Case) -> Prepared | None:
        """As a compiler writes it, with no function of ours in between."""
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
