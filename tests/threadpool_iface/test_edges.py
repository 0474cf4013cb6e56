"""The ends of the integers, tables with holes, and exceptions that make trouble themselves."""

from __future__ import annotations

import threading
from itertools import pairwise

import pytest

from threadpool_iface import (
    EigenLikePool,
    OmpLikePool,
    parallel,
    parallel_for,
    threadpool,
)
from threadpool_iface.native import ffi, lib

MOST = 2**63 - 1
NOT_GIVEN = -2**63


@pytest.mark.parametrize("cost", [1e-300, 1e-9, 1.0, 100.0, 1e9, 1e300, float("inf")])
@pytest.mark.parametrize("n", [1, 2**31, 2**53 + 1, 2**62, MOST - 1, MOST])
@pytest.mark.parametrize("kind", [OmpLikePool, EigenLikePool])
def test_huge_loops_are_cut_into_ranges_that_hold_each_item_once(kind, n, cost):
    ranges = []
    with kind(2) as pool, threadpool(pool):
        parallel_for(n, lambda begin, end: ranges.append((begin, end)), cost=cost)
    ranges.sort()
    assert ranges[0][0] == 0
    assert ranges[-1][1] == n
    assert all(a[1] == b[0] for a, b in pairwise(ranges))


@pytest.mark.parametrize("threads", [1, 2, 4096])
@pytest.mark.parametrize("n", [0, 1, 2, 2**31, MOST - 1, MOST])
def test_blocks_of_huge_loops_are_within_them(n, threads):
    for cycles in (0.0, 1e-300, 1.0, 1e5, 1e300, float("inf"), float("nan")):
        assert 1 <= lib.tpi_block_size(n, cycles, threads) <= max(1, n)


def test_a_measured_loop_over_all_integers_ends():
    """Its ranges grow until they are worth a region: they must not grow past the end."""
    seen = []

    @ffi.callback("int32_t(void *, int64_t, int64_t)")
    def run(ctx, begin, end):
        seen.append((begin, end))
        return 0

    with EigenLikePool(2) as pool, threadpool(pool):
        for n in (MOST, MOST - 1, 2**62):
            seen.clear()
            assert lib.tpi_for(n, NOT_GIVEN, lib.TPI_DYNAMIC, NOT_GIVEN, 0.0, run,
                               ffi.NULL) == 0
            seen.sort()
            assert (seen[0][0], seen[-1][1]) == (0, n)
            assert all(a[1] == b[0] for a, b in pairwise(seen))
        assert lib.tpi_for(4, 1, 3, NOT_GIVEN, 0.0, run, ffi.NULL) == lib.TPI_E_INVALID


def test_a_negative_thread_limit_is_refused():
    assert lib.tpi_set_thread_limit(-1) == lib.TPI_E_INVALID
    assert lib.tpi_set_thread_limit(-2**31) == lib.TPI_E_INVALID
    assert lib.tpi_thread_limit() == 0
    seen = []
    with OmpLikePool(2) as pool, threadpool(pool):
        parallel(4, lambda i, n: seen.append(i))
    assert sorted(seen) == [0, 1, 2, 3]


def table(size=1, **changes):
    """A pool's table in C that runs everything on its caller, and what keeps it alive."""
    functions = {
        "num_threads": ffi.callback("int32_t(void *)", lambda self: size),
        "in_parallel": ffi.callback("int32_t(void *)", lambda self: 0),
        "parallel_for": ffi.callback("int32_t(void *, int32_t, tpi_task, void *)", _run),
        "flags": ffi.callback("uint64_t(void *)", lambda self: 0),
        "wait": ffi.callback("void(void *)", lambda self: None),
        "close": ffi.callback("void(void *)", lambda self: None),
        "destroy": ffi.callback("void(void *)", lambda self: None),
    }
    ops = ffi.new("tpi_pool_ops *", {
        "abi_version": lib.TPI_ABI_VERSION, "struct_size": ffi.sizeof("tpi_pool_ops"),
        **functions, **changes})
    return ops, functions


def _run(self, n, task, ctx):
    for i in range(n):
        task(ctx, i, n)
    return 0


def test_a_whole_table_is_a_pool():
    ops, keep = table(size=4096)
    pool = lib.tpi_pool_new(ops, ffi.NULL)
    assert lib.tpi_pool_num_threads(pool) == 4096
    lib.tpi_pool_release(pool)
    assert keep


@pytest.mark.parametrize("size", [0, -1, -2**31, 4097, 2**31 - 1])
def test_foreign_pools_of_impossible_sizes_are_refused(size):
    ops, keep = table(size=size)
    assert lib.tpi_pool_new(ops, ffi.NULL) == ffi.NULL
    assert keep


@pytest.mark.parametrize("name", ["num_threads", "in_parallel", "parallel_for", "flags", "wait",
                                  "close", "destroy"])
def test_tables_without_a_required_function_are_refused(name):
    ops, keep = table(**{name: ffi.NULL})
    assert lib.tpi_pool_new(ops, ffi.NULL) == ffi.NULL
    assert keep


def test_tables_that_end_inside_a_pointer_are_refused():
    ops, keep = table()
    least = ffi.offsetof("tpi_pool_ops", "run_together")
    for size in range(least + 1, ffi.sizeof("tpi_pool_ops")):
        ops.struct_size = size
        pool = lib.tpi_pool_new(ops, ffi.NULL)
        assert (pool == ffi.NULL) == ((size - least) % ffi.sizeof("void *") != 0)
        lib.tpi_pool_release(pool)
    assert keep


def test_no_pool_at_all():
    assert lib.tpi_pool_close(ffi.NULL) == lib.TPI_E_INVALID
    lib.tpi_pool_release(ffi.NULL)


class TakesNoNotesError(Exception):
    def add_note(self, note):
        raise ZeroDivisionError("add_note")


class HasNoReprError(Exception):
    def __repr__(self):
        raise ZeroDivisionError("repr")

    __str__ = __repr__


class OddNotesError(Exception):
    __notes__ = 3


@pytest.mark.parametrize("kind", [TakesNoNotesError, HasNoReprError, OddNotesError])
def test_exceptions_that_make_trouble_arrive_as_themselves(kind):
    def task(i, n):
        raise kind

    with EigenLikePool(2) as pool:
        for run in (lambda: pool.parallel_for(2, task), lambda: pool.run_together(2, task),
                    lambda: pool.schedule(task, 0, 1).wait()):
            with pytest.raises(kind):
                run()
        pool.schedule(task, 0, 1)
        pool.schedule(task, 0, 1)
        with pytest.raises(kind):
            pool.wait()


def test_an_exception_that_is_raised_again_and_again_collects_few_notes():
    error = ValueError("constant")

    def task(i, n):
        raise error

    with OmpLikePool(2) as pool:
        for n in range(1, 2001):
            with pytest.raises(ValueError, match="constant"):
                pool.parallel_for(n, task)
    assert 1 <= len(error.__notes__) <= 8
    assert error.__notes__[-1].endswith("of 2000 of a parallel region")


def test_the_notes_of_nested_regions_are_both_there():
    def inner(i, n):
        raise ValueError("inside")

    with OmpLikePool(2) as pool, pytest.raises(ValueError, match="inside") as caught:
        pool.parallel_for(1, lambda i, n: parallel(3, inner))
    assert caught.value.__notes__ == ["raised in task 0 of 3 of a parallel region",
                                      "raised in task 0 of 1 of a parallel region"]


def test_wait_waits_for_all_whatever_fails():
    done, go = [], threading.Event()

    def fail(error):
        raise error

    def late():
        go.wait(60)
        done.append(1)

    with EigenLikePool(3) as pool:
        pool.schedule(fail, ValueError("first"))
        pool.schedule(fail, HasNoReprError())
        pool.schedule(late)
        threading.Timer(0.05, go.set).start()
        with pytest.raises(ValueError, match="first") as caught:
            pool.wait()
        assert done == [1]
    assert any("HasNoReprError" in note for note in caught.value.__notes__)


def test_a_pool_whose_latches_are_waited_for_one_by_one_keeps_none():
    with EigenLikePool(2) as pool:
        for _ in range(2000):
            pool.schedule(int).wait()
        assert len(pool._started.latches) < 200
        latch = pool.schedule(lambda: 1 // 0)
        while not latch.ended:
            pass
        for _ in range(2000):
            pool.schedule(int).wait()
        with pytest.raises(ZeroDivisionError):
            pool.wait()
