"""Calls that time themselves, in one Python thread or in several at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from time import perf_counter

import numpy as np

Call = Callable[[], object]


def timed(call: Call, count: int) -> np.ndarray:
    """Seconds of each of `count` calls."""
    seconds = np.empty(count)
    for i in range(count):
        begin = perf_counter()
        call()
        seconds[i] = perf_counter() - begin
    return seconds


class Callers:
    """Threads that are kept from block to block."""

    def __init__(self) -> None:
        self._threads: dict[int, ThreadPoolExecutor] = {}

    def timed(self, calls: Sequence[Call], count: int) -> np.ndarray:
        """Seconds of `count` calls of each, all of them at the same time."""
        if len(calls) == 1:
            return timed(calls[0], count)
        threads = self._threads.setdefault(len(calls), ThreadPoolExecutor(len(calls)))
        start = Barrier(len(calls))

        def run(call: Call) -> np.ndarray:
            start.wait()
            return timed(call, count)

        return np.concatenate(list(threads.map(run, calls)))
