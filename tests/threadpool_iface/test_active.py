"""The active pointer: thread-local, a stack of blocks, a default for threads that never chose."""

from __future__ import annotations

import gc
import threading
import weakref

import pytest

from threadpool_iface import (
    UNSET,
    EigenLikePool,
    OmpLikePool,
    PoolClosedError,
    SequentialPool,
    default_num_threads,
    get_max_threads,
    get_threadpool,
    parallel,
    set_default_threadpool,
    set_threadpool,
    threadpool,
)


def in_thread(call):
    result = []
    thread = threading.Thread(target=lambda: result.append(call()))
    thread.start()
    thread.join()
    return result[0]


def test_nothing_is_active_at_first():
    assert get_threadpool() is None
    assert get_max_threads() == default_num_threads()


def test_other_threads_do_not_see_it():
    with OmpLikePool(2) as pool:
        set_threadpool(pool)
        assert get_threadpool() is pool
        assert in_thread(get_threadpool) is None


def test_a_hundred_threads_keep_their_own():
    pools = [SequentialPool() for _ in range(100)]
    barrier = threading.Barrier(100)
    seen = [None] * 100

    def own(i):
        set_threadpool(pools[i])
        barrier.wait()
        seen[i] = get_threadpool()

    threads = [threading.Thread(target=own, args=(i,)) for i in range(100)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert seen == pools


def test_default_serves_threads_that_never_chose():
    with EigenLikePool(2) as default:
        set_default_threadpool(default)
        assert get_threadpool() is default
        assert get_max_threads() == 2
        assert in_thread(get_threadpool) is default
        set_threadpool(None)
        assert get_threadpool() is None
        set_threadpool(UNSET)
        assert get_threadpool() is default


def test_default_is_not_consulted_inside_a_region():
    with OmpLikePool(2) as default, OmpLikePool(2) as other:
        set_default_threadpool(default)
        seen = []
        with threadpool(other):
            parallel(3, lambda i, n: seen.append((get_threadpool(), get_max_threads())))
        assert seen == [(None, default_num_threads())] * 3


def test_blocks_nest_and_restore():
    with OmpLikePool(1) as a, OmpLikePool(1) as b:
        with threadpool(a):
            with threadpool(b), threadpool(None):
                assert get_threadpool() is None
            assert get_threadpool() is a
        assert get_threadpool() is None
        assert not a.closed


def test_leaving_restores_what_was_active_on_entering():
    with OmpLikePool(1) as a, OmpLikePool(1) as b:
        set_threadpool(a)
        with threadpool(b):
            set_threadpool(None)
        assert get_threadpool() is a


def test_leaving_restores_unset_so_that_a_later_default_counts():
    with OmpLikePool(1) as a, OmpLikePool(1) as b:
        with threadpool(a):
            pass
        set_default_threadpool(b)
        assert get_threadpool() is b


def test_one_block_object_can_be_entered_again():
    with OmpLikePool(1) as pool:
        block = threadpool(pool)
        with block, block:
            assert get_threadpool() is pool
        assert get_threadpool() is None


def test_leaving_out_of_order_is_refused():
    with OmpLikePool(1) as pool:
        first, second = threadpool(pool), threadpool(None)
        first.__enter__()
        second.__enter__()
        with pytest.raises(RuntimeError, match="out of order"):
            first.__exit__(None, None, None)
        second.__exit__(None, None, None)
        first.__exit__(None, None, None)
        assert get_threadpool() is None


def test_leaving_in_another_thread_is_refused():
    with OmpLikePool(1) as pool:
        block = threadpool(pool)
        block.__enter__()

        def leave():
            with pytest.raises(RuntimeError, match="another thread"):
                block.__exit__(None, None, None)
            return True

        assert in_thread(leave)
        block.__exit__(None, None, None)


def test_a_block_cannot_be_entered_inside_a_region():
    refused = []

    def task(i, n):
        try:
            with threadpool(other):
                pass
        except RuntimeError as error:
            refused.append(str(error))

    with OmpLikePool(2) as pool, OmpLikePool(1) as other, threadpool(pool):
        parallel(3, task)
        assert get_threadpool() is pool
    assert len(refused) == 3
    assert "inside a parallel region" in refused[0]


def test_one_block_object_serves_two_threads():
    with OmpLikePool(1) as a, OmpLikePool(1) as b:
        block = threadpool(b)
        entered, leave = threading.Event(), threading.Event()
        seen = []

        def other():
            set_threadpool(a)
            with block:
                entered.set()
                leave.wait(timeout=60)
            seen.append(get_threadpool())

        thread = threading.Thread(target=other)
        thread.start()
        assert entered.wait(timeout=60)
        with block:
            assert get_threadpool() is b
            leave.set()
            thread.join()
        assert get_threadpool() is None
        assert seen == [a]


def test_a_block_may_restore_a_pool_that_was_closed_meanwhile():
    pool = OmpLikePool(1)
    set_threadpool(pool)
    with threadpool(None):
        pool.close()
    assert get_threadpool() is pool


@pytest.mark.parametrize("wrong", [3, "omp", OmpLikePool, object()])
def test_only_pools_can_be_active(wrong):
    for call in (set_threadpool, threadpool, set_default_threadpool):
        with pytest.raises(TypeError, match="pool must be a ThreadpoolIface"):
            call(wrong)


def test_a_closed_pool_cannot_be_made_active():
    pool = OmpLikePool(2)
    pool.close()
    for call in (set_threadpool, threadpool, set_default_threadpool):
        with pytest.raises(PoolClosedError):
            call(pool)


def test_a_pool_closed_while_active_says_so_when_used():
    pool = OmpLikePool(2)
    set_threadpool(pool)
    pool.close()
    with pytest.raises(PoolClosedError):
        parallel(2, lambda i, n: None)


def test_the_thread_keeps_its_active_pool_alive():
    set_threadpool(OmpLikePool(2))
    gc.collect()
    seen = []
    parallel(4, lambda i, n: seen.append(i))
    assert sorted(seen) == [0, 1, 2, 3]


def test_pools_go_away_with_the_threads_that_used_them():
    refs = []

    def use():
        pool = EigenLikePool(2)
        refs.append(weakref.ref(pool))
        set_threadpool(pool)
        parallel(4, lambda i, n: None)

    in_thread(use)
    gc.collect()
    assert refs[0]() is None


def test_replacing_the_default_while_others_use_it():
    stop = threading.Event()
    problems = []

    def use():
        while not stop.is_set():
            seen = []
            try:
                parallel(5, lambda i, n, seen=seen: seen.append(i))
            except PoolClosedError:
                continue
            if sorted(seen) != [0, 1, 2, 3, 4]:
                problems.append(seen)

    threads = [threading.Thread(target=use) for _ in range(4)]
    for t in threads:
        t.start()
    for _ in range(100):
        with OmpLikePool(2) as pool:
            set_default_threadpool(pool)
        set_default_threadpool(None)
    stop.set()
    for t in threads:
        t.join()
    assert not problems
