"""What every runtime called from C can do: the same bodies, given its pool and its function."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .. import native
from ..cases import Case
from ..native.peers import Peer
from .contender import Contender, Prepared, skew_unit, steps_of

#: The EPCC benchmarks' delay within a region, and their number of outer repetitions in four blocks.
DELAY_MICROSECONDS = 0.1
OUTER = 5
INNER = 500
ITERATIONS = 1024
#: Cycles of one dependent multiply-add, for runtimes that want to know what a task costs.
CYCLES_PER_STEP = 4.0


def _repeat(once: Callable[[], float], block: int | None = None) -> Prepared:
    return Prepared(lambda count: np.array([once() for _ in range(count)]), times_itself=True,
                    block=block)


class NativePool(Contender):
    """Base of runtimes from C. `gang` is a pool of `threads` that runs all its tasks at once.

    Attributes
    ----------
    second
        Handle of a pool that takes turns with the first.
    """

    threads: int
    second: int = 0

    def gang(self) -> Peer:
        """The pool for regions of as many tasks as threads."""
        raise NotImplementedError

    def loops(self) -> Peer:
        """The pool for loops of many tasks."""
        return self.gang()

    def _loops_of(self, steps: float) -> Peer:
        pool = self.loops()
        if pool.cost is not None:
            pool.cost(max(1.0, steps * CYCLES_PER_STEP))
        return pool

    def latency(self, case: Case) -> Prepared | None:
        if self.threads < 2:  # rendezvous tasks need a gang
            return None
        pool = self.gang()
        return Prepared(
            lambda n: native.latency(pool.parallel, pool.handle, self.threads, case.idle, n),
            times_itself=True)

    def skewed(self, case: Case) -> Prepared | None:
        unit = skew_unit(case.microseconds, native.CHUNKS)
        pool = self._loops_of(unit * native.CHUNKS / 2)
        return _repeat(lambda: native.skewed(pool.parallel, pool.handle, 1, "static", unit))

    def loop(self, case: Case) -> Prepared | None:
        steps = loop_steps(case.skew, case.microseconds)
        pool = self._loops_of(float(steps.mean()))
        return _repeat(lambda: native.loop(pool.parallel, pool.handle, steps))

    def regions(self, case: Case) -> Prepared | None:
        pool, steps = self.gang(), steps_of(case.microseconds)
        both = (pool.handle, self.second or pool.handle)
        tasks = case.tasks or self.threads
        if case.body == "rendezvous" and self.threads < 2:
            return None
        return Prepared(
            lambda n: native.regions(pool.parallel, both, tasks, case.body, steps, n),
            times_itself=True)

    def region_overhead(self, case: Case) -> Prepared | None:
        pool, steps = self.gang(), steps_of(DELAY_MICROSECONDS)
        return _repeat(lambda: native.region_overhead(
            pool.parallel, pool.handle, self.threads, steps, INNER), OUTER)

    def barrier_overhead(self, case: Case) -> Prepared | None:
        return self._barriers(self.gang())

    def _barriers(self, pool: Peer) -> Prepared | None:
        steps = steps_of(DELAY_MICROSECONDS)
        if not pool.barrier or self.threads < 2:
            return None
        return _repeat(lambda: native.barrier_overhead(
            pool.parallel, pool.handle, pool.barrier, self.threads, steps, INNER), OUTER)

    def loop_overhead(self, case: Case) -> Prepared | None:
        steps = steps_of(DELAY_MICROSECONDS)
        pool = self._loops_of(steps * case.chunk)
        return _repeat(lambda: native.loop_overhead(
            pool.parallel, pool.handle, self.threads, ITERATIONS, case.chunk, steps), OUTER)


# -- costs of uneven loops -----------------------------------------------------------------------


def _uniform(n: int) -> np.ndarray:
    return np.ones(n)


def _rising(n: int) -> np.ndarray:
    return np.arange(1.0, n + 1)


def _falling(n: int) -> np.ndarray:
    return _rising(n)[::-1]


def _one_large(n: int) -> np.ndarray:
    shares = np.ones(n)
    shares[n // 3] = n - 1
    return shares


def _exponential(n: int) -> np.ndarray:
    return np.random.default_rng(1).exponential(size=n)


SKEWS = {"uniform": _uniform, "rising": _rising, "falling": _falling, "one large": _one_large,
         "exponential": _exponential}


def loop_steps(skew: str, microseconds: float) -> np.ndarray:
    """Steps of each chunk of a loop that takes about so long on one thread."""
    shares = SKEWS[skew](native.CHUNKS)
    return np.maximum(1, steps_of(microseconds) * shares / shares.sum()).astype(np.int64)
