"""Ctrl-C at every line and every call boundary of what hands something to the C core: it arrives,
nothing is lost, and what was active before is active again.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from numba import cfunc

from tests.injection import every_interruption
from threadpool_iface import (
    CPUPool,
    EigenLikePool,
    ExecutorPool,
    ForeignPool,
    MultiStream,
    OmpLikePool,
    OpenMPPool,
    SequentialPool,
    Task,
    ThreadpoolIface,
    get_default_threadpool,
    get_max_threads,
    get_threadpool,
    parallel,
    parallel_for,
    parallel_nd,
    parallel_reduce,
    pin,
    set_default_threadpool,
    set_threadpool,
    threadpool,
)
from threadpool_iface.active import _thread
from threadpool_iface.native import ffi, lib
from threadpool_iface.topology.usable import unbound_mask

pytestmark = pytest.mark.filterwarnings("ignore::threadpool_iface.OversubscriptionWarning")


def run_all(make):
    """Every interruption of it; a call that has none would prove nothing."""
    assert sum(1 for _ in every_interruption(make)) > 3


def is_whole(before=None):
    """The calling thread is as it was, and regions run."""
    assert get_threadpool() is before
    assert _thread.blocks == []
    assert lib.tpi_in_parallel() == 0
    assert unbound_mask() is None
    seen = []
    parallel(3, lambda i, n: seen.append(i))
    assert sorted(seen) == [0, 1, 2]


def works(pool):
    seen = []
    pool.parallel_for(4, lambda i, n: seen.append(i))
    assert sorted(seen) == [0, 1, 2, 3]


@pytest.fixture
def pools():
    with OmpLikePool(2) as a, EigenLikePool(3) as b:
        yield a, b


def test_blocks(pools):
    a, b = pools

    def action():
        with threadpool(a), threadpool(b), threadpool(None):
            pass

    run_all(lambda: (action, is_whole))


def test_a_block_that_is_entered_again(pools):
    block = threadpool(pools[0])

    def action():
        with block, block:
            pass

    run_all(lambda: (action, is_whole))


def test_blocks_of_a_thread_that_has_a_pool(pools):
    a, b = pools
    set_threadpool(a)

    def action():
        with threadpool(b):
            assert get_max_threads() == 3

    run_all(lambda: (action, lambda: is_whole(a)))


def test_set_threadpool(pools):
    a, b = pools

    def make():
        set_threadpool(a)
        return lambda: set_threadpool(b), check

    def check():
        assert get_threadpool() in (a, b)
        parallel(2, lambda i, n: None)

    run_all(make)


def test_a_python_pool_that_became_active_is_kept_alive():
    class Serial(ThreadpoolIface):
        num_threads = 1

        def parallel_for(self, n, fn):
            for i in range(n):
                fn(i, n)

    def check():
        gc.collect()
        parallel(2, lambda i, n: None)  # a pool that is gone would refuse
        set_threadpool(None)
        set_default_threadpool(None)

    run_all(lambda: (lambda: set_threadpool(Serial()), check))
    run_all(lambda: (lambda: set_default_threadpool(Serial()), check))


def test_set_default_threadpool(pools):
    a, b = pools

    def make():
        set_default_threadpool(a)
        return lambda: set_default_threadpool(b), check

    def check():
        assert get_default_threadpool() in (a, b)
        assert get_threadpool() is get_default_threadpool()

    run_all(make)


KINDS = {
    "omp": lambda: OmpLikePool(2), "eigen": lambda: EigenLikePool(2), "one": SequentialPool,
    "openmp": lambda: OpenMPPool(2), "bound": lambda: OmpLikePool(2, affinity=[0]),
}


@pytest.mark.parametrize("kind", KINDS)
def test_pools_are_made_or_not(kind):
    def action():
        made.append(KINDS[kind]())

    def check():
        for pool in made:
            works(pool)
            pool.close()
        made.clear()

    made = []
    # What looks for runtimes in /proc/self/maps takes thousands of steps that change nothing.
    step = 37 if kind == "openmp" else 1
    assert sum(1 for _ in every_interruption(lambda: (action, check), step=step)) > 3


def test_capsules_and_foreign_pools_lose_no_reference(pools):
    a, _ = pools
    made = []

    def take_over():
        made.append(ForeignPool(a.capsule()))

    def check():
        for pool in made:
            works(pool)
        made.clear()

    run_all(lambda: (take_over, check))
    # Handles that were lost would keep their threads.
    threads = len(os.listdir("/proc/self/task"))
    for _ in every_interruption(lambda: (made_and_shared, lambda: None)):
        pass
    gc.collect()
    assert len(os.listdir("/proc/self/task")) == threads


def made_and_shared():
    pool = OmpLikePool(2, blocktime=0)
    pool.parallel_for(2, nothing)
    ForeignPool(pool.capsule()).parallel_for(2, nothing)


@cfunc("int32(voidptr, int32, int32)")
def nothing(ctx, ithr, nthr):
    return 0


def test_closing(pools):
    def make():
        pool = OmpLikePool(2)
        works(pool)
        return pool.close, pool.close

    run_all(make)


@pytest.mark.parametrize("task", ["python", "native"])
def test_scheduled_tasks(task):
    def make():
        seen = []
        python = task == "python"

        def action():
            pool.schedule(seen.append, 1) if python else pool.schedule(nothing)
            pool.wait()

        def check():
            pool.wait()
            assert seen in ([], [1])
            pool.schedule(seen.append, 2).wait()
            assert seen[-1] == 2
            pool.wait()
            assert not pool._started.latches

        return action, check

    with EigenLikePool(2) as pool:
        run_all(make)


def test_waiting_for_a_failure(monkeypatch):
    monkeypatch.setattr("sys.unraisablehook", lambda unraisable: None)

    def fail():
        raise ValueError("failed")

    def make():
        latch = pool.schedule(fail)

        def action():
            with pytest.raises(ValueError, match="failed"):
                latch.wait()

        def check():
            if not latch._seen:
                with pytest.raises(ValueError, match="failed"):
                    latch.wait()
            latch.wait()

        return action, check

    with EigenLikePool(2) as pool:
        run_all(make)


REGIONS = {
    "parallel": lambda pool: parallel(4, lambda i, n: None),
    "parallel_for": lambda pool: parallel_for(9, lambda begin, end: None, schedule="dynamic"),
    "cost": lambda pool: parallel_for(9, lambda begin, end: None, cost=1e5),
    "parallel_nd": lambda pool: parallel_nd((2, 3), lambda i, j: None),
    "parallel_reduce": lambda pool: parallel_reduce(
        100, lambda b, e, init: init + e - b, 0, combine=lambda x, y: x + y),
    "method": lambda pool: pool.parallel_for(4, lambda i, n: None),
    "native": lambda pool: pool.parallel_for(4, nothing),
    "gang": lambda pool: pool.run_together(min(2, pool.num_threads), lambda i, n: None),
    "park": lambda pool: pool.park(),
    "stats": lambda pool: pool.stats(),
}


@pytest.mark.parametrize("region", REGIONS)
def test_regions(pools, region):
    for pool in pools:
        def action(pool=pool):
            with threadpool(pool):
                REGIONS[region](pool)

        for _ in every_interruption(lambda action=action: (action, is_whole)):
            pass
        works(pool)


def test_failing_regions(pools):
    def task(i, n):
        raise ValueError(f"task {i}")

    def action():
        with threadpool(pools[0]), pytest.raises(ValueError, match="task"):
            parallel(2, task)

    run_all(lambda: (action, is_whole))


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")  # late calls
def test_a_pool_written_in_python():
    class Threads(ThreadpoolIface):
        num_threads = 2

        def parallel_for(self, n, fn):
            threads = [threading.Thread(target=fn, args=(i, n)) for i in range(1, n)]
            for thread in threads:
                thread.start()
            fn(0, n)
            for thread in threads:
                thread.join()

    def action():
        with threadpool(pool):
            parallel(2, lambda i, n: None)
            pool.parallel_for(2, nothing)

    with Threads() as pool:
        run_all(lambda: (action, is_whole))
        works(pool)


def test_a_pool_on_an_executor():
    with ThreadPoolExecutor(2) as executor, ExecutorPool(executor) as pool:
        run_all(lambda: (lambda: pool.parallel_for(4, lambda i, n: None), lambda: works(pool)))


def test_pin():
    mask = os.sched_getaffinity(0)
    cpus = CPUPool([min(mask)])

    def action():
        with pin(cpus):
            assert os.sched_getaffinity(0) == {min(mask)}

    def check():
        assert os.sched_getaffinity(0) == mask
        is_whole()

    run_all(lambda: (action, check))


def test_tasks_on_cores():
    cpus = CPUPool([min(os.sched_getaffinity(0))])

    def make():
        task = Task(lambda x: x + 1, cpus)

        def check():
            assert task(2).result(60) == 3
            task.close()

        return lambda: task(1).result(60), check

    run_all(make)


def test_streams():
    import numpy as np

    ends = []

    def work(x):
        ends.append(1)
        return 2 * x

    x = np.arange(8.0)
    with MultiStream(work, num_streams=1) as stream:
        stream(x)

        def check():
            assert (stream(x) == 2 * x).all()

        run_all(lambda: (lambda: stream(x), check))


def test_an_exception_before_a_tasks_first_line_reaches_the_regions_caller(pools):
    """It comes in the callback's frame, which may be a worker's, and not in the task."""
    import ctypes

    class StoppedError(Exception):
        pass

    def task(i, n):
        ident = ctypes.c_ulong(threading.get_ident())
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ident, ctypes.py_object(StoppedError))

    for pool in pools:
        arrived = 0
        for _ in range(50):
            try:
                pool.run_together(2, task)
                for _ in range(10):
                    pass
            except StoppedError:
                arrived += 1
        assert arrived
        works(pool)


def test_ctrl_c_twice_at_once_arrives_once(monkeypatch, pools):
    """The second comes while the first one, from before a task's first line, is being noted."""
    monkeypatch.setattr("sys.unraisablehook", lambda unraisable: None)
    from threadpool_iface.region import _outside_any_task, tpi_python_task

    raised = []

    def interrupt(function):
        def at(frame, event, argument):
            if frame.f_code is function.__code__ and event == "call":
                raised.append(function)
                raise KeyboardInterrupt

        return at

    before = sys.gettrace(), sys.getprofile()
    sys.settrace(interrupt(tpi_python_task))
    sys.setprofile(interrupt(_outside_any_task))
    try:
        with pytest.raises(KeyboardInterrupt):
            pools[0].parallel_for(1, lambda i, n: None)
    finally:
        sys.settrace(before[0])
        sys.setprofile(before[1])
    assert raised == [tpi_python_task, _outside_any_task]
    works(pools[0])


def test_signals_that_raise_while_tasks_are_scheduled(monkeypatch):
    """A timer's handler that raises, as Ctrl-C's does, a thousand times at chance places."""
    # CPython drops what is raised in a weak reference's callback, wherever a collection runs it.
    monkeypatch.setattr("sys.unraisablehook", lambda unraisable: None)
    armed = False

    def handler(number, frame):
        nonlocal armed
        if armed:
            armed = False
            raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, 0.001, 0.0005)
    interrupted = 0
    try:
        with EigenLikePool(2) as pool:
            while interrupted < 1000:
                try:
                    armed = True
                    pool.schedule(int).wait()
                    armed = False
                except KeyboardInterrupt:
                    interrupted += 1
            works(pool)
    finally:
        armed = False
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_a_latch_of_a_pool_that_refuses_is_not_kept():
    from threadpool_iface.latch import _running

    pool = EigenLikePool(2)
    pool.close()
    result = ffi.new("tpi_latch **")
    assert lib.tpi_pool_submit(pool._native, 1, NOTHING, ffi.NULL, result) == (
        lib.TPI_E_CLOSED)
    assert result[0] == ffi.NULL
    with pytest.raises(RuntimeError):
        pool.schedule(int)
    assert not any(latch._pool is pool for latch in _running)


NOTHING = ffi.cast("tpi_task", nothing.address)
