"""Pools written in Python: what the library promises them, and what it says when they are wrong."""

from __future__ import annotations

import copy
import gc
import pickle
import signal
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor

import pytest

from threadpool_iface import (
    ASYNCHRONOUS,
    OmpLikePool,
    PoolClosedError,
    SequentialPool,
    Stream,
    ThreadpoolError,
    ThreadpoolIface,
    get_threadpool,
    in_parallel,
    parallel,
    set_default_threadpool,
    set_threadpool,
    threadpool,
)
from threadpool_iface.native import lib
from threadpool_iface.testing import check_pool


class Serial(ThreadpoolIface):
    """Two members, and no `__init__`: the least a pool can be."""

    num_threads = 3

    def parallel_for(self, n, fn):
        for i in range(n):
            fn(i, n)


class OnExecutor(ThreadpoolIface):
    def __init__(self, size=3):
        self.executor = ThreadPoolExecutor(size)
        self.size = size

    @property
    def num_threads(self):
        return self.size

    def parallel_for(self, n, fn):
        list(self.executor.map(lambda i: fn(i, n), range(n)))

    def close(self):
        super().close()
        self.executor.shutdown()


class Asynchronous(ThreadpoolIface):
    """Returns before its tasks have ended; each caller waits for its own."""

    num_threads = 2

    def __init__(self):
        self.started = threading.local()

    def get_flags(self):
        return ASYNCHRONOUS

    def parallel_for(self, n, fn):
        threads = [threading.Thread(target=fn, args=(i, n)) for i in range(n)]
        self.started.threads = threads
        for thread in threads:
            thread.start()

    def wait(self):
        for thread in getattr(self.started, "threads", ()):
            thread.join()


@pytest.mark.parametrize("kind", [Serial, OnExecutor, Asynchronous])
def test_keeps_the_contract(kind):
    check_pool(kind)


def test_an_asynchronous_region_has_ended_when_parallel_returns():
    with Asynchronous() as pool:
        seen = []
        pool.parallel_for(5, lambda i, n: seen.append(i))
        assert sorted(seen) == [0, 1, 2, 3, 4]


def test_a_direct_call_is_a_region():
    with Serial() as pool, threadpool(pool):
        seen = []
        pool.parallel_for(2, lambda i, n: seen.append((in_parallel(), get_threadpool())))
        assert seen == [(True, None)] * 2
        with pytest.raises(ZeroDivisionError) as caught:
            pool.parallel_for(3, lambda i, n: 1 // (i - 1))
        assert caught.value.__notes__ == ["raised in task 1 of 3 of a parallel region"]


def test_no_task_means_no_call():
    calls = []

    class Counts(Serial):
        def parallel_for(self, n, fn):
            calls.append(n)
            super().parallel_for(n, fn)

    with Counts() as pool:
        pool.parallel_for(0, print)
        assert calls == []
        pool.parallel_for(1, lambda i, n: None)
        assert calls == [1]


@pytest.mark.parametrize("kind", [Serial, OnExecutor])
def test_a_closed_one_is_refused_everywhere(kind):
    pool = kind()
    pool.close()
    for use in (lambda: pool.parallel_for(1, print), lambda: set_threadpool(pool), pool.__enter__):
        with pytest.raises(PoolClosedError, match=kind.__name__):
            use()


@pytest.mark.parametrize(("size", "error"), [("4", TypeError), (2.0, TypeError), (True, TypeError),
                                             (None, TypeError), (0, ValueError), (-1, ValueError),
                                             (4097, ValueError)])
def test_a_wrong_size_is_named_at_first_use(size, error):
    pool = type("Mistaken", (Serial,), {"num_threads": size})()
    for use in (lambda: set_threadpool(pool), lambda: pool.parallel_for(1, print),
                lambda: Stream(pool).handle):
        with pytest.raises(error, match="num_threads of Mistaken"):
            use()


@pytest.mark.parametrize("indices", [[], [0], [0, 0], [0, 1, 1], [0, 1, 2], [-1, 0, 1]], ids=str)
def test_tasks_run_twice_or_never_are_reported_with_the_pools_name(indices):
    class Wrong(Serial):
        def parallel_for(self, n, fn):
            for i in indices:
                fn(i, n)

    ran = []
    with (Wrong() as pool, threadpool(pool),
          pytest.raises((ThreadpoolError, ValueError), match=r"Wrong|must be at least 0")):
        parallel(2, lambda i, n: ran.append(i))
    assert len(ran) == len(set(ran)), "a task ran twice"
    assert set(ran) <= {0, 1}


@pytest.mark.parametrize("where", ["parallel_for", "wait"])
@pytest.mark.parametrize("kind", [LookupError, KeyboardInterrupt])
def test_an_exception_of_the_pool_reaches_the_caller_once(where, kind):
    def fail(*args):
        raise kind(where)

    broken = type("Broken", (Asynchronous,), {where: fail})()
    with threadpool(broken):
        with pytest.raises(kind, match=where):
            parallel(2, lambda i, n: None)
        assert not in_parallel()
    with threadpool(None):
        parallel(2, lambda i, n: None)


def test_a_pool_that_fails_while_a_task_fails_reports_the_task():
    class Fails(Serial):
        def parallel_for(self, n, fn):
            super().parallel_for(n, fn)
            raise LookupError

    with Fails() as pool, threadpool(pool), pytest.raises(ZeroDivisionError):
        parallel(2, lambda i, n: 1 // 0)


def test_a_native_pools_subclass_must_initialise_it():
    class Forgets(OmpLikePool):
        def __init__(self):
            pass

    with pytest.raises(RuntimeError, match=r"Forgets.__init__ must call super\(\).__init__"):
        set_threadpool(Forgets())
    assert repr(Forgets()) == "<Forgets: not initialised>"


def test_a_native_pools_subclass_sees_direct_calls():
    class Counts(SequentialPool):
        calls = 0

        def parallel_for(self, n, fn):
            self.calls += 1
            super().parallel_for(n, fn)

    with Counts() as pool:
        pool.parallel_for(2, lambda i, n: None)
        assert pool.calls == 1


@pytest.mark.parametrize("kind", [Serial, SequentialPool])
def test_pools_are_neither_copied_nor_pickled(kind):
    with kind() as pool:
        for use in (copy.copy, copy.deepcopy, pickle.dumps):
            with pytest.raises(TypeError, match="cannot be copied or pickled"):
                use(pool)


def test_the_handle_does_not_keep_the_pool_alive():
    pool = Serial()
    assert pool.handle
    ref = weakref.ref(pool)
    del pool
    gc.collect()
    assert ref() is None


def test_the_thread_keeps_its_active_pool_alive():
    ref = weakref.ref(pool := Serial())
    set_threadpool(pool)
    del pool
    gc.collect()
    assert get_threadpool() is ref()
    parallel(2, lambda i, n: None)
    set_threadpool(None)
    gc.collect()
    assert ref() is None


def test_the_default_pool_is_kept_alive():
    ref = weakref.ref(pool := Serial())
    set_default_threadpool(pool)
    del pool
    gc.collect()
    assert get_threadpool() is ref()
    set_default_threadpool(None)
    gc.collect()
    assert ref() is None


def test_a_handle_that_outlives_its_pool_refuses():
    pool = Serial()
    native = pool._native
    lib.tpi_pool_retain(native)
    assert lib.tpi_pool_num_threads(native) == 3
    del pool
    gc.collect()
    assert lib.tpi_pool_parallel(native, 2, lib.tpi_python_task, native) == lib.TPI_E_PYTHON
    lib.tpi_pool_release(native)


def test_python_threads_may_end_with_a_python_pool_active():
    refs = []

    def use():
        pool = Serial()
        refs.append(weakref.ref(pool))
        set_threadpool(pool)
        parallel(3, lambda i, n: None)

    thread = threading.Thread(target=use)
    thread.start()
    thread.join()
    gc.collect()
    assert refs[0]() is None


def test_ctrl_c_while_the_caller_waits_leaves_only_after_its_tasks_have_ended():
    """The second Ctrl-C arrives when the caller already waits because of the first."""
    main, ended = threading.main_thread().ident, []
    inside, delivered = threading.Event(), threading.Event()

    def on_signal(number, frame):
        delivered.set()
        raise KeyboardInterrupt

    class Interrupted(ThreadpoolIface):
        num_threads = 2

        def parallel_for(self, n, fn):
            self.fn = fn
            threading.Thread(target=fn, args=(0, n)).start()
            assert inside.wait(timeout=60)
            raise KeyboardInterrupt

    def task(i, n):
        inside.set()
        while pool.fn._open:
            pass
        signal.pthread_kill(main, signal.SIGINT)
        assert delivered.wait(timeout=60)
        ended.append(i)

    before = signal.signal(signal.SIGINT, on_signal)
    try:
        with Interrupted() as pool, threadpool(pool):
            with pytest.raises(KeyboardInterrupt):
                parallel(1, task)
            assert ended == [0]
    finally:
        signal.signal(signal.SIGINT, before)


def test_ctrl_c_while_tasks_run_leaves_only_after_they_have_ended():
    inside, leave, ended = threading.Event(), threading.Event(), []

    class Interrupted(ThreadpoolIface):
        num_threads = 2

        def parallel_for(self, n, fn):
            thread = threading.Thread(target=fn, args=(0, n))
            thread.start()
            assert inside.wait(timeout=60)
            threading.Thread(target=leave.set).start()
            raise KeyboardInterrupt

    def task(i, n):
        inside.set()
        assert leave.wait(timeout=60)
        ended.append(i)

    with Interrupted() as pool, threadpool(pool):
        with pytest.raises(KeyboardInterrupt):
            parallel(1, task)
        assert ended == [0]
