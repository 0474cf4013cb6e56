"""Compiled bodies called from Python: every item once, the same as one after the other."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import njit

from threadpool_iface import (
    EigenLikePool,
    OmpLikePool,
    get_max_threads,
    in_parallel,
    parallel,
    parallel_for,
    parallel_nd,
    threadpool,
)

from .bodies import count_up, note_task, saxpy

pytestmark = pytest.mark.filterwarnings("ignore::threadpool_iface.OversubscriptionWarning")


@njit
def mark_1(i, seen):
    seen[i] += 1


@njit
def mark_2(i, j, seen):
    seen[i, j] += 1


@njit
def mark_3(i, j, k, seen):
    seen[i, j, k] += 1


@njit
def mark_4(i, j, k, m, seen):
    seen[i, j, k, m] += 1


@njit
def mark_5(i, j, k, m, n, seen):
    seen[i, j, k, m, n] += 1


@njit
def mark_6(i, j, k, m, n, o, seen):
    seen[i, j, k, m, n, o] += 1


@njit
def fill(i, j, k, out):
    out[i, j, k] = 100 * i + 10 * j + k


MARKS = (mark_1, mark_2, mark_3, mark_4, mark_5, mark_6)


def test_parallel_for_computes_what_the_body_does_alone(pool):
    x, y = np.arange(1000.0), np.ones(1000)
    parallel_for(1000, saxpy, 2.0, x, y)
    assert (y == 1 + 2 * x).all()


def test_parallel_runs_each_task_once_with_its_numbers(pool):
    for nthr in (1, 2, 7, 50):
        seen = np.zeros(nthr, np.int64)
        parallel(nthr, note_task, seen)
        assert (seen == nthr).all()


def test_parallel_of_zero_tasks_takes_the_pools_size(pool):
    seen = np.zeros(4096, np.int64)
    parallel(0, note_task, seen)
    size = get_max_threads()
    assert (seen[:size] == size).all()
    assert not seen[size:].any()


@given(n=st.integers(0, 5000), grain=st.none() | st.integers(1, 6000),
       schedule=st.sampled_from([None, "static", "dynamic"]), most=st.none() | st.integers(0, 9))
def test_parallel_for_covers_each_item_once(n, grain, schedule, most):
    seen = np.zeros(n, np.int64)
    with EigenLikePool(3) as made, threadpool(made):
        parallel_for(n, count_up, seen, grain=grain, schedule=schedule, max_num_threads=most)
    assert (seen == 1).all()


@njit
def note_range(begin, end, ends):
    ends[begin] = end


@given(n=st.integers(1, 300), grain=st.integers(1, 400),
       schedule=st.sampled_from([None, "static", "dynamic"]))
def test_ranges_hold_whole_grains(n, grain, schedule):
    ends = np.zeros(n, np.int64)
    with OmpLikePool(3) as made, threadpool(made):
        parallel_for(n, note_range, ends, grain=grain, schedule=schedule)
    begins = np.flatnonzero(ends)
    assert begins[0] == 0
    assert (ends[begins] == [*begins[1:], n]).all()
    assert (begins % grain == 0).all()
    assert schedule == "dynamic" or len(begins) <= 3


@pytest.mark.parametrize("cost", [1, 50.0, 1e9])
def test_a_cost_gives_the_grain(cost, pool):
    seen = np.zeros(1234, np.int64)
    parallel_for(1234, count_up, seen, cost=cost)
    assert (seen == 1).all()


@pytest.mark.parametrize("most", [0, 1, 2])
def test_max_num_threads_bounds_a_static_loop(most):
    ends = np.zeros(100, np.int64)
    with OmpLikePool(3, stats=True) as made, threadpool(made):
        parallel_for(100, note_range, ends, max_num_threads=most, schedule="static")
        assert made.stats().regions == (most > 0)
    assert np.count_nonzero(ends) == max(1, most)


@settings(max_examples=60)
@given(dims=st.lists(st.integers(0, 5), min_size=1, max_size=6))
def test_parallel_nd_visits_each_point_once(dims):
    seen = np.zeros(dims, np.int64)
    with EigenLikePool(3) as made, threadpool(made):
        parallel_nd(tuple(dims), MARKS[len(dims) - 1], seen)
    assert (seen == 1).all()


def test_parallel_nd_passes_each_index_in_its_place(pool):
    out = np.zeros((4, 5, 6), np.int64)
    parallel_nd(out.shape, fill, out)
    i, j, k = np.indices(out.shape)
    assert (out == 100 * i + 10 * j + k).all()


def test_an_active_pool_is_null_inside_a_body():
    @njit
    def nested(begin, end, seen):
        for i in range(begin, end):
            parallel_for(3, count_up, seen[3 * i:3 * i + 3])

    seen = np.zeros(90, np.int64)
    with OmpLikePool(2) as made, threadpool(made):
        parallel_for(30, nested, seen)
        assert made.stats().regions == 1
    assert (seen == 1).all()
    assert not in_parallel()


@pytest.mark.parametrize(("call", "message"), [
    (lambda: parallel_for(-1, count_up, np.zeros(1)), "n must be at least 0, not -1"),
    (lambda: parallel_for(1, count_up, np.zeros(1), grain=0), "grain must be at least 1, not 0"),
    (lambda: parallel_for(1, count_up, np.zeros(1), schedule="guided"), "schedule must be"),
    (lambda: parallel_for(1, count_up, np.zeros(1), max_num_threads=-1), "max_num_threads must be"),
    (lambda: parallel(-2, note_task, np.zeros(1)), "nthr must be"),
    (lambda: parallel_nd((1, -1), mark_2, np.zeros((1, 1))), r"dims\[1\] must be at least 0"),
])
def test_values_outside_their_domain_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize("n", [True, 1.5, "3", None])
def test_counts_must_be_integers(n):
    for call in (lambda: parallel_for(n, count_up, np.zeros(3)),
                 lambda: parallel(n, note_task, np.zeros(3)),
                 lambda: parallel_nd((n,), mark_1, np.zeros(3))):
        with pytest.raises(TypeError, match="must be an integer"):
            call()


def test_numpy_integers_are_counts():
    seen = np.zeros(5, np.int64)
    parallel_for(np.int32(5), count_up, seen, grain=np.int64(2))
    assert (seen == 1).all()
