"""What a contender offers: for each kind of case a Prepared job, or None if it cannot do it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Any

import numpy as np

from ..cases import Case
from ..shapes import network


@dataclass
class Prepared:
    """Something to time.

    Attributes
    ----------
    call
        Does the work once, and returns what `result` understands.
    result
        Turns what `call` returned into the array that contenders must agree on; None: no array.
    times_itself
        `call(count)` returns the seconds of each of `count` runs; of a chain, a row for each run
        with the seconds of each layer.
    block
        Runs in a block, where the method prescribes them; None: as many as there is time for.
    """

    call: Callable[..., Any]
    result: Callable[[Any], np.ndarray] | None = None
    times_itself: bool = False
    block: int | None = None


class Contender:
    """Base: can do nothing. Every method gets a case of its section."""

    def latency(self, case: Case) -> Prepared | None:
        return None

    def skewed(self, case: Case) -> Prepared | None:
        return None

    def gemm(self, case: Case) -> Prepared | None:
        return None

    def blas(self, case: Case) -> Prepared | None:
        return None

    def openmp(self, case: Case) -> Prepared | None:
        return None

    def conv(self, case: Case) -> Prepared | None:
        return None

    def peak(self, case: Case) -> Prepared | None:
        return None

    def loop(self, case: Case) -> Prepared | None:
        return None

    def regions(self, case: Case) -> Prepared | None:
        return None

    def region_overhead(self, case: Case) -> Prepared | None:
        return None

    def barrier_overhead(self, case: Case) -> Prepared | None:
        return None

    def loop_overhead(self, case: Case) -> Prepared | None:
        return None

    def python_call(self, case: Case) -> Prepared | None:
        return None

    def branches(self, case: Case) -> Prepared | None:
        return None

    def antirectifier(self, case: Case) -> Prepared | None:
        return None

    def chain(self, case: Case) -> Prepared | None:
        """The convolutions of a network one after the other, each with weights of its own."""
        layers = [self.conv(replace(case, section="conv", shape=replace(layer, mb=case.batch)))
                  for layer in network(case.body) for _ in range(layer.count)]
        if any(layer is None or layer.times_itself for layer in layers):
            return None
        calls = [layer.call for layer in layers if layer is not None]

        def run(count: int) -> np.ndarray:
            seconds = np.empty((count, len(calls)))
            for row in seconds:
                for i, call in enumerate(calls):
                    start = perf_counter()
                    call()
                    row[i] = perf_counter() - start
            return seconds

        return Prepared(run, times_itself=True)

    def prepare(self, case: Case) -> Prepared | None:
        return getattr(self, case.section)(case)  # type: ignore[no-any-return]


#: Dependent multiply-adds that take about a nanosecond: 4 cycles each at 4 GHz.
STEPS_PER_NANOSECOND = 1.0


def steps_of(microseconds: float) -> int:
    """Steps that take about so long."""
    return max(1, int(microseconds * 1e3 * STEPS_PER_NANOSECOND))


def skew_unit(microseconds: float, chunks: int) -> int:
    """Steps of the first chunk, for a triangle that takes about so long on one thread."""
    return max(1, int(microseconds * 1e3 * STEPS_PER_NANOSECOND / (chunks * (chunks + 1) / 2)))
