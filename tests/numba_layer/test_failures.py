"""A region that cannot run: its loop is completed, and the exception arrives."""

from __future__ import annotations

import ctypes
import sys
import threading

import numpy as np
import pytest
from numba import cfunc, njit, prange, types

from threadpool_iface import (
    EigenLikePool,
    OmpLikePool,
    PoolClosedError,
    ThreadpoolIface,
    parallel,
    set_default_threadpool,
    set_threadpool,
    threadpool,
)

from . import loops, processes


@njit(parallel=True, cache=True, nogil=True)
def _fill(values):
    for i in prange(values.size):
        values[i] = i + 1


@njit(cache=True)
def _fill_twice(first, second):
    _fill(first)
    _fill(second)


def _closed(make, size=2):
    pool = make(size)
    set_threadpool(pool)
    pool.close()


def _on_a_closed_pool(way, schedule):
    processes.install(way, schedule=schedule)
    for make in OmpLikePool, EigenLikePool:
        _closed(make)
        values, others = np.zeros(1000), np.zeros(1000)
        with pytest.raises(PoolClosedError, match=make.__name__) as caught:
            _fill(values)
        assert "parallel loop" in caught.value.__notes__[0]
        assert (values == np.arange(1, 1001)).all()
        with pytest.raises(PoolClosedError):
            _fill_twice(values, others)
        assert (others == values).all()
        assert [*range(1000)] == list(range(1000))  # nothing is raised late
    set_threadpool(None)
    _fill(values)


@pytest.mark.parametrize(("way", "schedule"), [("layer", "dynamic"), ("overlay", "static")])
def test_a_closed_pool_is_an_error_after_a_completed_loop(way, schedule):
    processes.run(_on_a_closed_pool, way, schedule)


def _ufunc_on_a_closed_pool():
    processes.install("layer")
    hypotenuse, _ = loops.make_ufuncs()
    _closed(OmpLikePool)
    with pytest.raises(PoolClosedError):
        hypotenuse(loops.VALUES, 1.0)


def test_a_closed_pool_is_an_error_of_a_ufunc():
    processes.run(_ufunc_on_a_closed_pool)


class _Odd(ThreadpoolIface):
    """Fails after half of its tasks."""

    num_threads = 4

    def parallel_for(self, n, fn):
        for i in range(n // 2):
            fn(i, n)
        raise LookupError("no more threads today")


def _on_a_failing_pool(schedule):
    processes.install("layer", schedule=schedule)
    with threadpool(_Odd()):
        values = np.zeros(1000)
        with pytest.raises(LookupError, match="no more threads"):
            _fill(values)
        assert (values == np.arange(1, 1001)).all()


@pytest.mark.parametrize("schedule", ["dynamic", "static"])
def test_what_a_pool_of_python_raises_arrives_after_a_completed_loop(schedule):
    processes.run(_on_a_failing_pool, schedule)


def _in_threads():
    processes.install("layer")
    _fill(np.zeros(10))
    outcomes = {}

    def call(key, closed):
        try:
            if closed:
                _closed(OmpLikePool)
            for _ in range(100):
                _fill(np.zeros(10))
            outcomes[key] = None
        except PoolClosedError as error:
            outcomes[key] = error

    threads = [threading.Thread(target=call, args=(i, i % 2)) for i in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [outcomes[i] is None for i in range(6)] == [True, False] * 3


def test_the_exception_arrives_in_the_thread_whose_region_failed():
    processes.run(_in_threads)


def _without_python():
    processes.install("layer")

    @cfunc(types.voidptr(types.voidptr))
    def start(argument):
        _fill(np.zeros(1000))
        return argument

    pool = OmpLikePool(2)
    set_default_threadpool(pool)
    pool.close()
    reported = []
    sys.unraisablehook = reported.append
    c, thread = ctypes.CDLL(None), ctypes.c_ulong()
    assert c.pthread_create(ctypes.byref(thread), None, ctypes.c_void_p(start.address), None) == 0
    assert c.pthread_join(thread, None) == 0
    assert [report.exc_type for report in reported] == [PoolClosedError]


def test_a_thread_without_python_code_reports_the_exception_as_unraisable():
    processes.run(_without_python)


def _in_a_task():
    processes.install("layer")
    _fill(np.zeros(10))
    with OmpLikePool(2) as pool, threadpool(pool):
        parallel(2, lambda ithr, nthr: _fill(np.zeros(10)))


def test_loops_in_tasks_need_no_pool():
    processes.run(_in_a_task)
