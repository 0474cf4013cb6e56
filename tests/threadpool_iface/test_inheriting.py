"""The active pool follows into threads that a caller starts, when asked."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import pytest

from threadpool_iface import (
    EigenLikePool,
    InheritingExecutor,
    OmpLikePool,
    PoolClosedError,
    get_threadpool,
    inherit,
    parallel,
    set_default_threadpool,
    set_threadpool,
    threadpool,
    to_thread,
)


def in_thread(function):
    """What it returns in a new thread."""
    with ThreadPoolExecutor(1) as executor:
        return executor.submit(function).result()


def test_a_thread_has_its_own_pool_unless_it_inherits():
    with OmpLikePool(2) as pool, threadpool(pool):
        assert in_thread(get_threadpool) is None
        assert in_thread(inherit(get_threadpool)) is pool


def test_what_is_passed_on_is_what_was_active_when_asked():
    with OmpLikePool(2) as first, EigenLikePool(2) as second:
        set_default_threadpool(second)
        unset = inherit(get_threadpool)
        with threadpool(first):
            pooled = inherit(get_threadpool)
        set_threadpool(None)
        sequential = inherit(get_threadpool)
        with threadpool(second):
            assert pooled() is first
            assert get_threadpool() is second
        assert [in_thread(f) for f in (unset, pooled, sequential)] == [second, first, None]


def test_the_thread_has_its_own_pool_again_afterwards():
    with OmpLikePool(2) as pool, EigenLikePool(2) as own, ThreadPoolExecutor(1) as executor:
        executor.submit(set_threadpool, own).result()
        with threadpool(pool):
            assert executor.submit(inherit(get_threadpool)).result() is pool
            with pytest.raises(ZeroDivisionError):
                executor.submit(inherit(lambda: 1 / 0)).result()
        assert executor.submit(get_threadpool).result() is own


def test_an_executor_passes_on_the_pool_of_whoever_submits():
    with OmpLikePool(2) as first, EigenLikePool(2) as second, \
            InheritingExecutor(ThreadPoolExecutor(2)) as executor:
        with threadpool(first):
            one = executor.submit(get_threadpool)
        with threadpool(second):
            two = executor.submit(get_threadpool)
            mapped = list(executor.map(lambda i: get_threadpool(), range(5)))
        assert one.result() is first
        assert two.result() is second
        assert mapped == [second] * 5
    with pytest.raises(RuntimeError, match="shutdown"):
        executor.submit(get_threadpool)


def test_asyncio_threads_inherit():
    async def main():
        return await asyncio.gather(asyncio.to_thread(get_threadpool), to_thread(get_threadpool),
                                    to_thread(lambda x, *, y: (x, y), 1, y=2))

    with OmpLikePool(2) as pool, threadpool(pool):
        assert asyncio.run(main()) == [None, pool, (1, 2)]


def test_joblib_threads_inherit():
    joblib = pytest.importorskip("joblib")
    with OmpLikePool(2) as pool, threadpool(pool):
        call = joblib.delayed(inherit(get_threadpool))
        assert joblib.Parallel(2, backend="threading")(call() for _ in range(4)) == [pool] * 4


def test_joblib_processes_get_their_share_of_the_cores():
    joblib = pytest.importorskip("joblib")

    def size():
        from threadpool_iface import OmpLikePool as Pool

        return Pool().num_threads

    expected = max(1, joblib.cpu_count() // 2)
    assert joblib.Parallel(2, backend="loky")(joblib.delayed(size)() for _ in range(2)) == (
        [expected] * 2)


def test_inside_a_region_it_runs_as_everything_does_there():
    with OmpLikePool(2) as pool, threadpool(pool):
        function = inherit(get_threadpool)
        found = []
        parallel(2, lambda ithr, nthr: found.append(function()))
        assert found == [None, None]


def test_a_pool_closed_in_the_meantime_is_an_error():
    with OmpLikePool(2) as pool, threadpool(pool):
        function = inherit(get_threadpool)
    with pytest.raises(PoolClosedError):
        in_thread(function)


def test_what_cannot_inherit_is_refused():
    with pytest.raises(TypeError, match="function must be callable, not 3"):
        inherit(3)
    with pytest.raises(TypeError, match=r"executor must be a concurrent\.futures\.Executor"):
        InheritingExecutor(threading)
    with ProcessPoolExecutor(1) as processes, pytest.raises(TypeError, match="in threads of this"):
        InheritingExecutor(processes)
