"""Gangs: tasks that run at the same time, and their barrier."""

from __future__ import annotations

import threading
import time
from collections import Counter

import pytest
from numba import cfunc

from threadpool_iface import (
    BrokenGangError,
    EigenLikePool,
    ForeignPool,
    OmpLikePool,
    OpenMPPool,
    PoolClosedError,
    SequentialPool,
    TaskError,
    UnsupportedError,
    barrier,
    parallel,
    threadpool,
)
from threadpool_iface import nopython as external
from threadpool_iface.native import ffi, lib

from .pools_under_test import ThreadPerTask

pytestmark = pytest.mark.filterwarnings("ignore::threadpool_iface.OversubscriptionWarning")

KINDS = {
    "omp": lambda n: OmpLikePool(n),
    "omp-dynamic": lambda n: OmpLikePool(n, schedule="dynamic"),
    "omp-parked": lambda n: OmpLikePool(n, blocktime=0),
    "eigen": lambda n: EigenLikePool(n),
    "eigen-parked": lambda n: EigenLikePool(n, blocktime=0),
    "libgomp": lambda n: OpenMPPool(n, runtime="libgomp"),
}


@pytest.fixture(params=KINDS)
def pool(request):
    with KINDS[request.param](4) as made:
        yield made


def test_tasks_that_wait_for_each_other_end(pool):
    for n in (1, 2, 3, 4, 2, 4):
        meeting = threading.Barrier(n)
        seen = []

        def task(ithr, nthr, meeting=meeting, seen=seen):
            meeting.wait(timeout=20)
            seen.append((ithr, nthr, threading.get_ident()))

        pool.run_together(n, task)
        assert sorted(s[:2] for s in seen) == [(i, n) for i in range(n)]
        assert len({s[2] for s in seen}) == n
        assert threading.get_ident() in {s[2] for s in seen}


def test_barrier_separates_phases(pool):
    n, phases = 4, 100
    events = []

    def task(ithr, nthr):
        for phase in range(phases):
            events.append(phase)
            barrier()

    pool.run_together(n, task)
    assert events == sorted(events)
    assert Counter(events) == dict.fromkeys(range(phases), n)


def test_zero_means_as_many_as_threads(pool):
    seen = []
    pool.run_together(0, lambda i, n: (barrier(), seen.append(n)))
    assert seen == [4] * 4


def test_native_tasks_call_the_barrier_too(pool):
    tpi_barrier = external.tpi_barrier

    @cfunc("int32(voidptr, int32, int32)")
    def task(ctx, ithr, nthr):
        for _ in range(1000):
            code = tpi_barrier()
            if code != 0:
                return code
        return 0

    pool.run_together(4, task)
    with pytest.raises(RuntimeError, match="run_together"):
        barrier()


def test_the_failing_task_is_what_arrives_and_others_are_let_go(pool):
    ended = []

    def task(ithr, nthr):
        try:
            if ithr == nthr - 1:
                raise KeyError("this one")
            barrier()
        finally:
            ended.append(ithr)

    for _ in range(20):
        ended.clear()
        with pytest.raises(KeyError, match="this one") as caught:
            pool.run_together(4, task)
        assert caught.value.__notes__ == ["raised in task 3 of 4 of a parallel region"]
        assert sorted(ended) == [0, 1, 2, 3]
    pool.run_together(4, lambda i, n: barrier())


def test_a_native_failure_breaks_the_barrier(pool):
    tpi_barrier = external.tpi_barrier

    @cfunc("int32(voidptr, int32, int32)")
    def task(ctx, ithr, nthr):
        return 7 if ithr == 0 else tpi_barrier()

    with pytest.raises(TaskError) as caught:
        pool.run_together(3, task)
    assert caught.value.code == 7


def test_a_task_that_ends_without_coming_breaks_the_barrier(pool):
    def task(ithr, nthr):
        if ithr:
            barrier()

    with pytest.raises(BrokenGangError, match="without coming"):
        pool.run_together(3, task)
    with pytest.raises(threading.BrokenBarrierError):  # the standard library's name for it
        pool.run_together(2, task)


def test_every_task_starts_although_others_failed(pool):
    started = []

    def task(ithr, nthr):
        started.append(ithr)
        raise ValueError(ithr)

    with pytest.raises(ValueError, match=r"^[0-3]\n"):
        pool.run_together(4, task)
    assert sorted(started) == [0, 1, 2, 3]


def test_gangs_of_many_callers_take_turns(pool):
    problems = []

    def caller():
        try:
            for _ in range(30):
                pool.run_together(4, lambda i, n: [barrier() for _ in range(3)])
                pool.parallel_for(9, lambda i, n: None)
        except Exception as error:
            problems.append(error)

    threads = [threading.Thread(target=caller) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []


def test_a_gang_waits_for_workers_that_others_hold():
    with EigenLikePool(3) as pool:
        go = threading.Event()
        busy = [pool.schedule(go.wait, 20) for _ in range(2)]
        threading.Timer(0.1, go.set).start()
        pool.run_together(3, lambda i, n: barrier())
        assert go.is_set()
        pool.wait()
        assert all(latch.ended for latch in busy)


def test_inside_a_region_it_is_refused_and_a_nested_region_has_no_barrier(pool):
    def nested(ithr, nthr):
        with pytest.raises(RuntimeError, match="inside a parallel region"):
            pool.run_together(1, lambda i, n: None)
        with pytest.raises(RuntimeError, match="run_together"):
            parallel(2, lambda i, n: barrier())
        barrier()

    pool.run_together(2, nested)
    with threadpool(pool), pytest.raises(RuntimeError, match="inside a parallel region"):
        parallel(2, lambda i, n: pool.run_together(1, lambda i, n: None))


@pytest.mark.parametrize(("n", "error"), [(5, ValueError), (-1, ValueError), (True, TypeError),
                                          ("2", TypeError), (2.0, TypeError)])
def test_more_tasks_than_threads_or_no_number_is_refused(pool, n, error):
    with pytest.raises(error, match=r"^n must be"):
        pool.run_together(n, lambda i, n: None)


def test_closed_pool_says_so(pool):
    pool.close()
    with pytest.raises(PoolClosedError):
        pool.run_together(2, lambda i, n: None)


def test_pools_that_cannot_promise_it_refuse_all_but_the_caller_alone():
    python = ThreadPerTask()
    with pytest.raises(UnsupportedError, match="ThreadPerTask"):
        python.run_together(2, lambda i, n: None)
    seen = []
    for pool in (python, SequentialPool()):
        pool.run_together(1, lambda i, n: (barrier(), seen.append((i, n))))
        pool.close()
    assert seen == [(0, 1)] * 2


def test_ctrl_c_breaks_the_barrier():
    pool = OmpLikePool(2)
    import _thread

    def task(ithr, nthr):
        if threading.current_thread() is not threading.main_thread():
            time.sleep(0.2)
            _thread.interrupt_main()
            time.sleep(0.2)
        barrier()
        barrier()

    with pytest.raises(KeyboardInterrupt):
        pool.run_together(2, task)
    pool.run_together(2, lambda i, n: barrier())
    pool.close()


def test_foreign_pools_of_the_librarys_own_kind_can():
    own = OmpLikePool(3)
    lib.tpi_pool_retain(ffi.cast("tpi_pool *", own.handle))
    with ForeignPool(own.handle) as pool:
        pool.run_together(3, lambda i, n: barrier())


def test_a_gang_that_cannot_wait_is_refused_while_a_region_holds_the_threads(pool):
    """In C only, for callers that hold what the pool's tasks may be waiting for."""
    ran, holds, over = [], threading.Event(), threading.Event()

    def hold(ithr, nthr):
        holds.set()
        over.wait(timeout=20)

    @ffi.callback("tpi_task")
    def note(ctx, ithr, nthr):
        ran.append((ithr, nthr))
        return 0

    holder = threading.Thread(target=pool.parallel_for, args=(4, hold))
    holder.start()
    holds.wait()
    busy = lib.tpi_pool_run_together_soon(pool._native, 4, note, ffi.NULL)
    had_run = sorted(ran)
    over.set()
    holder.join()
    # Each calling thread has a team of its own in OpenMP.
    free = isinstance(pool, OpenMPPool)
    assert busy == (0 if free else lib.TPI_E_BUSY)
    assert had_run == ([(i, 4) for i in range(4)] if free else [])
    ran.clear()
    # A loaded machine may need longer than a gang waits to start the pool's threads.
    while lib.tpi_pool_run_together_soon(pool._native, 4, note, ffi.NULL) == lib.TPI_E_BUSY:
        pass
    assert sorted(ran) == [(i, 4) for i in range(4)]


def test_pools_that_only_know_how_to_wait_refuse_a_gang_that_cannot():
    with ThreadPerTask() as pool:
        assert lib.tpi_pool_run_together_soon(
            pool._native, 2, lib.tpi_python_task, ffi.NULL) == lib.TPI_E_UNSUPPORTED
