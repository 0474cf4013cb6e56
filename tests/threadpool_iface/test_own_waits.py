"""A wait on oneself is an error, never a hang: close, latches, `wait`, futures of a Task."""

from __future__ import annotations

import threading
from itertools import product

import pytest

from threadpool_iface import (
    CPUPool,
    EigenLikePool,
    OmpLikePool,
    PoolClosedError,
    SequentialPool,
    Task,
    parallel,
    threadpool,
)
from threadpool_iface.native import ffi, lib

KINDS = {"omp": lambda: OmpLikePool(2), "eigen": lambda: EigenLikePool(2), "seq": SequentialPool}


@pytest.mark.parametrize(("outer", "inner"), list(product(KINDS, KINDS)))
def test_a_pool_cannot_be_closed_from_a_nested_region_on_it(outer, inner):
    refused = []

    def close(i, n):
        with pytest.raises(RuntimeError, match="inside a parallel region"):
            pool.close()
        refused.append(i)

    with KINDS[outer]() as other, KINDS[inner]() as pool:
        other.parallel_for(2, lambda i, n: pool.parallel_for(1, close))
        assert refused == [0, 0]
        assert not pool.closed
        pool.parallel_for(2, lambda i, n: None)


@pytest.mark.parametrize("make", [lambda: EigenLikePool(2), lambda: EigenLikePool(1)])
def test_a_task_cannot_wait_for_its_own_latch(make):
    errors = []

    def wait():
        with pytest.raises(RuntimeError, match="wait for itself"):
            pool.wait()  # in the thread that started it: for its own latch
        errors.append(1)

    with make() as pool:
        latch = pool.schedule(threading.Event().wait, 0)
        latch.wait()
        box = []

        def wait_for_own():
            while not box:
                pass
            with pytest.raises(RuntimeError, match="wait for itself"):
                box[0].wait()
            errors.append(2)

        if pool.num_threads > 1:
            box.append(pool.schedule(wait_for_own))
            box[0].wait()
            pool.wait()
            assert errors == [2]
        else:
            pool.schedule(wait)
            pool.wait()
            assert errors == [1]


def test_a_native_task_is_told_that_it_waits_for_itself():
    for pool in (EigenLikePool(2), OmpLikePool(2)):
        codes = []
        box = ffi.new("tpi_latch **")

        @ffi.callback("tpi_task")
        def task(ctx, i, n, codes=codes, box=box):
            codes.append(lib.tpi_latch_wait(box[0]))
            return 0

        with pool:
            assert lib.tpi_pool_submit(pool._native, 1, task, ffi.NULL, box) == 0
            assert lib.tpi_latch_wait(box[0]) == 0
            lib.tpi_latch_release(box[0])
        assert codes == [lib.TPI_E_OWN_TASK]


def test_a_tasks_function_cannot_wait_for_its_own_future():
    futures = []

    calls = []

    def once():
        calls.append(1)
        if len(calls) == 1:
            work_own()

    def work_own():
        while not futures:
            pass
        with pytest.raises(RuntimeError, match="wait for itself"):
            futures[0].result()

    with Task(once, CPUPool([CPUPool().core_ids[0]])) as task:
        futures.append(task())
        assert futures[0].result(60) is None
        assert task().result(60) is None


def test_a_second_close_returns_when_the_pool_is_closed():
    inside, leave = threading.Event(), threading.Event()

    def task(i, n):
        inside.set()
        leave.wait(60)

    pool = EigenLikePool(2)
    caller = threading.Thread(target=lambda: pool.parallel_for(1, task))
    caller.start()
    inside.wait(60)
    closers = [threading.Thread(target=pool.close) for _ in range(3)]
    for closer in closers:
        closer.start()
    while not pool.closed:
        pass
    assert all(closer.is_alive() for closer in closers)
    leave.set()
    for thread in (caller, *closers):
        thread.join(60)
        assert not thread.is_alive()
    pool.close()
    with pytest.raises(PoolClosedError), threadpool(pool):
        parallel(1, task)
