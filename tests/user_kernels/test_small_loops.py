"""A loop that was too short for a region begins on its caller, and is whole whatever it costs."""

from __future__ import annotations

import numpy as np
import pytest
from numba import njit

from threadpool_iface import (
    EigenLikePool,
    OmpLikePool,
    ThreadpoolError,
    parallel_for,
    threadpool,
)

#: Calls until a loop must have been seen to be small: one measurement may meet an interruption.
CALLS = 10_000
#: Its last small call may meet one as well.
TRIES = 10


@njit
def work(i, turns):
    """False, which the compiler does not know."""
    x = 1.0
    for _ in range(turns):
        x = np.sqrt(x + i)
    return x < 0


@njit
def mark(begin, end, turns, seen):
    for i in range(begin, end):
        seen[i] += 1 + work(i, turns)


@njit
def refuse(begin, end, turns, refused):
    for i in range(begin, end):
        if work(i, turns) or i == refused:
            raise ValueError("refused", i)


@pytest.fixture(params=[OmpLikePool, EigenLikePool])
def pool(request):
    with request.param(2) as made, threadpool(made):
        yield made


def tasks_of(pool, call):
    before = pool.stats().tasks
    call()
    return pool.stats().tasks - before


def learn(pool, call):
    """Until it is run as one task."""
    assert any(tasks_of(pool, call) == 1 for _ in range(CALLS))


@pytest.mark.parametrize("n", [2, 3, 15, 16, 17, 40])
def test_it_has_one_task_and_every_item_once(pool, n):
    seen = np.zeros(n, np.int64)
    learn(pool, lambda: parallel_for(n, mark, 0, seen))
    assert (seen == seen[0]).all()


def begins_on_its_caller(pool, n):
    """Whether a loop known as small becomes a region; not if its last small call seemed dear."""
    seen = np.zeros(n, np.int64)
    learn(pool, lambda: parallel_for(n, mark, 0, np.zeros(n, np.int64)))
    tasks = tasks_of(pool, lambda: parallel_for(n, mark, 100_000, seen))
    assert (seen == 1).all()
    assert tasks_of(pool, lambda: parallel_for(n, mark, 100_000, seen)) == 2
    rest = n - (n + 15) // 16
    return tasks == 1 + min(2, rest)


@pytest.mark.parametrize("n", [2, 3, 15, 16, 17, 40])
def test_dear_items_become_a_region_and_are_remembered(pool, n):
    assert any(begins_on_its_caller(pool, n) for _ in range(TRIES))


@pytest.mark.parametrize("refused", [0, 1, 16, 39])
@pytest.mark.parametrize("turns", [0, 10_000])
def test_a_failure_arrives_from_either_part(pool, refused, turns):
    learn(pool, lambda: parallel_for(40, refuse, 0, -1))
    with pytest.raises(ValueError, match="refused") as caught:
        parallel_for(40, refuse, turns, refused)
    assert caught.value.args == ("refused", refused)


def test_a_closed_pool_refuses_it(pool):
    seen = np.zeros(40, np.int64)
    learn(pool, lambda: parallel_for(40, mark, 0, seen))
    pool.close()
    seen[:] = 0
    with pytest.raises(ThreadpoolError, match="closed"):
        parallel_for(40, mark, 0, seen)
    assert not seen.any()


def test_what_is_asked_for_is_not_overruled(pool):
    seen = np.zeros(40, np.int64)
    learn(pool, lambda: parallel_for(40, mark, 0, seen))
    for options in ({"grain": 1}, {"schedule": "static"}, {"grain": 4, "schedule": "dynamic"}):
        assert tasks_of(pool, lambda o=options: parallel_for(40, mark, 0, seen, **o)) == 2
