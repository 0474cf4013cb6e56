"""Asynchronous regions: schedule, wait, latches, pools whose parallel_for returns early."""

from __future__ import annotations

import gc
import subprocess
import sys
import threading
import time

import pytest
from numba import cfunc

from threadpool_iface import (
    ASYNCHRONOUS,
    EigenLikePool,
    OmpLikePool,
    PoolClosedError,
    TaskError,
    ThreadpoolIface,
    get_threadpool,
    in_parallel,
    parallel,
    threadpool,
)
from threadpool_iface.native import ffi, lib

pytestmark = pytest.mark.filterwarnings("ignore::threadpool_iface.OversubscriptionWarning")


@pytest.fixture(params=[1, 2, 5])
def pool(request):
    with EigenLikePool(request.param) as made:
        yield made


@pytest.fixture
def two():
    with EigenLikePool(2, asynchronous=True) as made:
        yield made


def test_scheduled_tasks_run_once_each(pool):
    seen = []
    latches = [pool.schedule(seen.append, i) for i in range(3000)]
    pool.wait()
    assert sorted(seen) == list(range(3000))
    assert all(latch.ended for latch in latches)


def test_the_caller_goes_on_meanwhile():
    with EigenLikePool(2) as pool:
        go = threading.Event()
        latch = pool.schedule(go.wait, 20)
        assert not latch.ended
        assert "running" in repr(latch)
        go.set()
        latch.wait()
        assert latch.ended
        assert "ended" in repr(latch)


def test_a_waiter_takes_part():
    with EigenLikePool(2) as pool:
        go, ran = threading.Event(), []
        pool.schedule(go.wait, 20)  # holds the only worker
        latch = pool.schedule(lambda: ran.append(threading.get_ident()))
        latch.wait()
        assert ran == [threading.get_ident()]
        go.set()


def test_tasks_schedule_tasks(pool):
    seen = []

    def tree(depth):
        seen.append(depth)
        latches = [pool.schedule(tree, depth - 1) for _ in range(2)] if depth else []
        for latch in latches:
            latch.wait()

    pool.schedule(tree, 8).wait()
    assert len(seen) == 2**9 - 1


def test_a_scheduled_task_is_inside_a_region(two):
    seen = []
    two.schedule(lambda: seen.append((in_parallel(), get_threadpool()))).wait()
    assert seen == [(True, None)]


def test_failures_arrive_once_in_wait_with_the_others_as_notes(pool):
    def fail(kind):
        raise kind

    for kind in (KeyError, ValueError, OSError):
        pool.schedule(fail, kind)
    with pytest.raises(KeyError) as caught:
        pool.wait()
    notes = " ".join(caught.value.__notes__)
    assert "task 0 of 1" in notes
    assert "ValueError" in notes
    assert "OSError" in notes
    pool.wait()


def test_a_latch_raises_its_own_failure_and_only_once(pool):
    latch = pool.schedule(lambda: 1 // 0)
    with pytest.raises(ZeroDivisionError):
        latch.wait()
    latch.wait()
    pool.wait()


def test_wait_is_for_what_this_thread_started(two):
    go = threading.Event()
    started = []
    thread = threading.Thread(target=lambda: started.append(two.schedule(go.wait, 20)))
    thread.start()
    thread.join()
    two.wait()
    assert not started[0].ended
    go.set()


def test_a_failure_that_nobody_waits_for_is_reported(monkeypatch):
    reported = []
    monkeypatch.setattr(sys, "unraisablehook", lambda unraisable: reported.append(
        unraisable.exc_type))
    with EigenLikePool(2) as pool:
        thread = threading.Thread(target=lambda: pool.schedule(lambda: 1 // 0))
        thread.start()
        thread.join()
        deadline = time.monotonic() + 20
        while not reported and time.monotonic() < deadline:
            pool.schedule(lambda: None)  # later ones sweep out those that have ended
            pool.wait()
            gc.collect()
    assert reported == [ZeroDivisionError]


def test_native_tasks_can_be_scheduled(two):
    @cfunc("int32(voidptr, int32, int32)")
    def task(ctx, ithr, nthr):
        return 9 if (ithr, nthr) == (0, 1) else 1

    with pytest.raises(TaskError) as caught:
        two.schedule(task).wait()
    assert caught.value.code == 9
    with pytest.raises(TypeError, match="no args"):
        two.schedule(task, 1)


def test_an_asynchronous_pool_returns_early_and_wait_completes(two):
    assert two.get_flags() == ASYNCHRONOUS == lib.tpi_pool_flags(ffi.cast("tpi_pool *", two.handle))
    go, seen = threading.Event(), []

    def task(i, n):
        go.wait(20)
        seen.append((i, n))

    two.parallel_for(5, task)
    assert seen == []
    go.set()
    two.wait()
    assert sorted(seen) == [(i, 5) for i in range(5)]
    two.parallel_for(0, task)


def test_the_first_failure_of_an_asynchronous_region_stops_it(two):
    started = []

    def task(i, n):
        started.append(i)
        raise ValueError(i)

    two.parallel_for(1000, task)
    with pytest.raises(ValueError, match=r"^[0-9]+\n"):
        two.wait()
    assert len(started) <= 2


def test_regions_on_an_asynchronous_active_pool_are_complete(two):
    seen = []
    with threadpool(two):
        parallel(50, lambda i, n: (time.sleep(0.0005), seen.append(i)))
        assert sorted(seen) == list(range(50))


def test_closing_waits_for_what_was_started(two):
    seen = []
    for i in range(20):
        two.schedule(lambda i=i: (time.sleep(0.002), seen.append(i)))
    two.close()
    assert sorted(seen) == list(range(20))
    with pytest.raises(PoolClosedError):
        two.schedule(print)
    two.wait()


def test_wrong_arguments_are_refused(two):
    with pytest.raises(TypeError, match="callable"):
        two.schedule(3)
    with pytest.raises(TypeError, match="asynchronous"):
        EigenLikePool(2, asynchronous=1)
    with pytest.raises(TypeError, match="stats"):
        OmpLikePool(2, stats="yes")


def test_latches_start_at_once_on_pools_that_cannot_schedule():
    with OmpLikePool(2) as pool:
        result, seen = ffi.new("tpi_latch **"), []

        @ffi.callback("tpi_task")
        def task(ctx, i, n):
            seen.append(i)
            return 0

        assert lib.tpi_pool_submit(pool._native, 4, task, ffi.NULL, result) == 0
        assert lib.tpi_latch_ended(result[0]) == 1
        assert lib.tpi_latch_wait(result[0]) == 0
        lib.tpi_latch_release(result[0])
        assert sorted(seen) == [0, 1, 2, 3]


def test_the_interpreter_finishes_what_was_scheduled():
    code = """
import os, time
from threadpool_iface import EigenLikePool
pool = EigenLikePool(2)
for i in range(4):
    pool.schedule(lambda i=i: (time.sleep(0.05), os.write(1, b"%d\\n" % i)))
pool.schedule(lambda: 1 // 0)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False,
                          timeout=60)
    assert done.returncode == 0
    assert sorted(done.stdout.split()) == ["0", "1", "2", "3"]
    assert "ZeroDivisionError" in done.stderr


def test_a_python_pool_may_be_asynchronous():
    class Later(ThreadpoolIface):
        num_threads = 2

        def __init__(self):
            self.threads = []

        def get_flags(self):
            return ASYNCHRONOUS

        def parallel_for(self, n, fn):
            self.threads = [threading.Thread(target=fn, args=(i, n)) for i in range(n)]
            for thread in self.threads:
                thread.start()

        def wait(self):
            for thread in self.threads:
                thread.join()

    seen = []
    with Later() as pool, threadpool(pool):
        parallel(4, lambda i, n: (time.sleep(0.01), seen.append(i)))
        assert sorted(seen) == [0, 1, 2, 3]
