"""Short loops of numba's begin on their caller, and are whole whatever they cost."""

from __future__ import annotations

import numpy as np
import pytest
from numba import njit, prange

from threadpool_iface import EigenLikePool, OmpLikePool, threadpool

from . import processes

POOLS = {"omp": OmpLikePool, "eigen": EigenLikePool}
#: Calls until a loop must have been seen to be small: one measurement may meet an interruption.
CALLS = 10_000
#: Its last small call may meet one as well.
TRIES = 10


@njit(parallel=True)
def mark(n, turns, seen):
    total = 0
    for i in prange(n):
        x = 1.0
        for _ in range(turns):
            x = np.sqrt(x + i)
        seen[i] += 1 + (x < 0)
        total += i
    return total


def tasks_of(pool, n, turns, seen):
    before = pool.stats().tasks
    assert mark(n, turns, seen) == n * (n - 1) // 2
    return pool.stats().tasks - before


def _begins_on_its_caller(pool, n):
    """Whether a loop known as small becomes a region; not if its last small call seemed dear."""
    seen = np.zeros(n, np.int64)
    assert any(tasks_of(pool, n, 0, seen) == 1 for _ in range(CALLS))
    assert (seen == seen[0]).all()
    seen[:] = 0
    tasks = tasks_of(pool, n, 100_000, seen)
    assert (seen == 1).all()
    assert tasks_of(pool, n, 100_000, seen) == 2
    return tasks == 3


def _small_then_dear(kind):
    processes.install("layer")
    with POOLS[kind](2) as pool, threadpool(pool):
        for n in (2, 3, 15, 16, 17, 40):
            assert any(_begins_on_its_caller(pool, n) for _ in range(TRIES))


@pytest.mark.parametrize("kind", POOLS)
def test_a_small_loop_has_one_task_and_dear_ones_a_region_more(kind):
    processes.run(_small_then_dear, kind)


def _even_shares():
    processes.install("layer", schedule="static")
    with OmpLikePool(2) as pool, threadpool(pool):
        seen = np.zeros(40, np.int64)
        assert all(tasks_of(pool, 40, 0, seen) == 2 for _ in range(100))


def test_even_shares_stay_even():
    processes.run(_even_shares)
