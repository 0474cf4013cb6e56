"""The loops of docs/examples, which are plain numba and run on whatever layer there is."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from pathlib import Path
from time import perf_counter
from types import ModuleType

import numpy as np

from threadpool_iface import InheritingExecutor

from ..cases import Case
from .contender import Prepared
from .numba_prange import Prange

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
SIZE = 256
STEPS = 10


def _load(name: str) -> ModuleType:
    if str(EXAMPLES) not in sys.path:
        sys.path.append(str(EXAMPLES))
    return import_module(name)


class Examples(Prange):
    def example(self, case: Case) -> Prepared:
        """The loop of the example that `case.body` names."""
        return Prepared(_load(case.body).prepare(False), np.asarray)

    def heat(self, case: Case) -> Prepared:
        heat = _load("heat_equation")
        now, after = heat.plate(SIZE), heat.plate(SIZE)

        def call() -> np.ndarray:
            heat.step(now, after, 0.2)
            return after

        return Prepared(call, np.asarray)

    def stencil(self, case: Case) -> Prepared:
        smooth = _load("stencil_from_threads").smooth
        grid = np.random.default_rng(0).standard_normal((SIZE, SIZE))
        out = np.zeros_like(grid)

        def call() -> np.ndarray:
            smooth(grid, out)
            return out

        return Prepared(call, np.asarray)

    def clients(self, case: Case) -> Prepared:
        """Calls of `case.tasks` Python threads at once; the seconds are of all calls, for each."""
        client = _load("stencil_from_threads").client
        client(8, 1)  # one thread compiles it
        executor = InheritingExecutor(ThreadPoolExecutor(case.tasks))

        def run(count: int) -> np.ndarray:
            seconds = np.empty(count)
            for i in range(count):
                start = perf_counter()
                list(executor.map(lambda _: client(SIZE, STEPS), range(case.tasks)))
                seconds[i] = (perf_counter() - start) / (case.tasks * STEPS)
            return seconds

        return Prepared(run, times_itself=True)
