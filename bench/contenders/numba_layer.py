"""The same unmodified loops of numba on different layers: numba's own, and our pools."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from time import perf_counter, sleep

import numba
import numpy as np
from numba import njit, prange, vectorize

import threadpool_iface as tpi
from threadpool_iface.numba_layer import install

from ..cases import Case
from .contender import Prepared, steps_of
from .examples import Examples

IDLE_SECONDS = 0.001


@njit(parallel=True, cache=True)
def _even(steps, results):
    for i in prange(results.size):
        x = 1.0 + i
        for _ in range(steps):
            x = x * 0.999999 + 1e-6
        results[i] = x


def _slept() -> None:
    sleep(IDLE_SECONDS)


def _busy() -> None:
    end = perf_counter() + IDLE_SECONDS
    while perf_counter() < end:
        pass


def _timed(call: Callable[[], object], before: Callable[[], None]) -> Prepared:
    def run(count: int) -> np.ndarray:
        seconds = np.empty(count)
        for i in range(count):
            before()
            start = perf_counter()
            call()
            seconds[i] = perf_counter() - start
        return seconds

    return Prepared(run, times_itself=True)


class NumbaLayer(Examples):
    """`layer` is one of numba's by its own name, or the name of one of our pools; `schedule` is how
    the loops are cut that run on a pool."""

    def __init__(self, threads: int, layer: str, schedule: str = "dynamic") -> None:
        warnings.simplefilter("ignore", tpi.OversubscriptionWarning)
        if hasattr(tpi, layer):
            install(schedule=schedule)
            tpi.set_threadpool(getattr(tpi, layer)(threads))
        else:
            numba.config.THREADING_LAYER = layer
        self._threads = threads
        super().__init__(threads)

    def even_loop(self, case: Case) -> Prepared:
        """As many iterations as threads, which share `microseconds` of work."""
        results = np.empty(self._threads)
        steps = steps_of(case.microseconds / self._threads) if case.microseconds else 0

        def call() -> None:
            _even(steps, results)

        if case.idle == "hot":
            return Prepared(call)
        return _timed(call, {"slept": _slept, "busy": _busy}[case.idle])

    def ufunc(self, case: Case) -> Prepared:
        @vectorize(["float64(float64, float64)"], target="parallel")
        def multiply_add(a, b):
            return a * 2.0 + b

        a, out = np.ones(200_000), np.empty(200_000)
        return Prepared(lambda: multiply_add(a, a, out))
