"""pin: the calling thread's cores and pool, for a block or a function, and back."""

from __future__ import annotations

import os
import subprocess
import sys
import threading

import pytest

from threadpool_iface import (
    CPUPool,
    EigenLikePool,
    OmpLikePool,
    SequentialPool,
    get_max_threads,
    get_threadpool,
    parallel,
    pin,
    set_threadpool,
    threadpool,
)
from threadpool_iface.runtime.pools import forget_pools
from threadpool_iface.topology import allowed_cpus

from ..threadpool_iface.test_affinity import where_workers_run

FIRST, LAST = CPUPool(allowed_cpus()[:1]), CPUPool(allowed_cpus()[-1:])
ALL = CPUPool()
two_cpus = pytest.mark.skipif(FIRST == LAST, reason="needs two CPUs")


def mask():
    return os.sched_getaffinity(0)


@pytest.fixture(autouse=True)
def _forgets():
    before = mask()
    yield
    assert mask() == before
    forget_pools()


def test_a_block_has_the_cores_and_a_pool_on_them():
    with pin(ALL) as pool:
        assert get_threadpool() is pool
        assert mask() == set(ALL)
        assert get_max_threads() == pool.num_threads == len(ALL)
        assert where_workers_run(pool) == [{cpu} for cpu in ALL.core_ids[1:]]
    assert get_threadpool() is None


@pytest.mark.parametrize(("kind", "made"), [("omp", OmpLikePool), ("eigen", EigenLikePool),
                                            (lambda cores: SequentialPool(), SequentialPool)])
def test_the_kind_of_pool_is_chosen(kind, made):
    with pin(LAST, kind) as pool:
        assert type(pool) is made


@pytest.mark.parametrize(("kind", "error", "why"), [
    ("tbb", ValueError, "must be \"omp\", \"eigen\" or a callable, not 'tbb'"),
    (3, TypeError, "or a callable that takes a CPUPool, not 3")])
def test_another_kind_is_refused(kind, error, why):
    with pytest.raises(error, match=why):
        pin(ALL, kind)


def test_a_factory_that_makes_no_pool_is_refused_and_changes_nothing():
    with pytest.raises(TypeError, match="must make a ThreadpoolIface, not 'CPU"), pin(ALL, repr):
        pass
    assert get_threadpool() is None


@pytest.mark.parametrize(("cores", "error"), [([0], TypeError), (None, TypeError),
                                              (ALL - ALL, ValueError)])
def test_cores_must_be_a_cpu_pool_with_a_core(cores, error):
    with pytest.raises(error, match="cpu_pool must"):
        pin(cores)


def test_the_pool_and_the_mask_are_restored_after_an_error():
    own = SequentialPool()
    set_threadpool(own)
    with pytest.raises(ZeroDivisionError), pin(LAST):
        raise ZeroDivisionError
    assert get_threadpool() is own


def test_what_the_block_chose_ends_with_it():
    with pin(LAST):
        set_threadpool(SequentialPool())
        os.sched_setaffinity(0, FIRST)
    assert get_threadpool() is None


def test_a_pool_that_was_closed_meanwhile_is_restored_all_the_same():
    own = OmpLikePool(1)
    with threadpool(own):
        with pin(LAST):
            own.close()
        assert get_threadpool() is own


@two_cpus
def test_blocks_nest_on_cores_that_the_outer_one_left_out():
    with pin(FIRST) as outer:
        with pin(LAST) as inner:
            assert mask() == set(LAST)
            assert get_threadpool() is inner
        assert mask() == set(FIRST)
        assert get_threadpool() is outer


@two_cpus
def test_inside_the_cores_to_choose_from_are_those_of_outside():
    with pin(FIRST):
        assert CPUPool() == ALL
        assert OmpLikePool(LAST).affinity == LAST.core_ids


def test_a_decorated_function_is_pinned_at_each_call():
    @pin(LAST)
    def where(extra, *, more):
        """Says where."""
        return mask(), extra, more, get_threadpool()

    assert where(1, more=2)[:3] == (set(LAST), 1, 2)
    assert where(1, more=2)[3] is where(1, more=2)[3]
    assert where.__doc__ == "Says where."


def test_a_recursive_function_can_be_decorated():
    @pin(LAST)
    def down(n):
        return down(n - 1) if n else mask()

    assert down(3) == set(LAST)


def test_functions_whose_calls_return_early_are_refused():
    async def coroutine():
        pass

    def generator():
        yield

    for function in (coroutine, generator):
        with pytest.raises(TypeError, match="its body runs after the call"):
            pin(LAST)(function)


def test_pools_are_kept_for_equal_cores_and_made_again_when_closed():
    with pin(CPUPool(LAST)) as first:
        pass
    with pin(CPUPool(LAST)) as second, pin(LAST, "eigen") as other:
        assert first is second is not other
    second.close()
    with pin(LAST) as third:
        assert not third.closed
    forget_pools()
    with pin(LAST) as fourth:
        assert fourth is not third


@two_cpus
def test_one_pin_serves_several_threads_at_once():
    both, masks, meet = pin(LAST), [], threading.Barrier(2)

    def body():
        with both:
            meet.wait()
            masks.append(mask())
            meet.wait()
        masks.append(mask())

    threads = [threading.Thread(target=body) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert masks == [set(LAST)] * 2 + [set(ALL)] * 2


def test_it_cannot_be_left_in_another_thread_or_out_of_order():
    outer, inner, failed = pin(FIRST), pin(LAST), []

    def leave():
        try:
            outer.__exit__(None, None, None)
        except RuntimeError as error:
            failed.append(str(error))

    with outer:
        thread = threading.Thread(target=leave)
        thread.start()
        thread.join()
        with inner, pytest.raises(RuntimeError, match="left out of order"):
            outer.__exit__(None, None, None)
    assert "by the thread that entered them" in failed[0]


def test_inside_a_region_it_is_refused_and_nothing_changes():
    before, masks = mask(), []

    def task(ithr, nthr):
        try:
            with pin(LAST):
                pass
        except RuntimeError:
            masks.append(mask())

    parallel(1, task)
    assert masks == [before]


@two_cpus
@pytest.mark.filterwarnings("ignore::threadpool_iface.OversubscriptionWarning")
@pytest.mark.parametrize("kind", [OmpLikePool, EigenLikePool])
def test_workers_of_a_pool_made_outside_do_not_inherit_the_cores(kind):
    with kind(3) as pool:
        with pin(FIRST), pin(LAST):
            assert where_workers_run(pool) == [set(ALL)] * 2
        assert where_workers_run(pool) == [set(ALL)] * 2


@two_cpus
@pytest.mark.parametrize("kind", [OmpLikePool, EigenLikePool])
def test_a_pool_made_inside_keeps_to_the_cores(kind):
    with pin(LAST):
        pool = kind(2)
    with pool:
        assert where_workers_run(pool) == [set(LAST)]


@two_cpus
@pytest.mark.filterwarnings("ignore::threadpool_iface.OversubscriptionWarning")
@pytest.mark.parametrize("kind", [OmpLikePool, EigenLikePool])
def test_afterwards_workers_inherit_the_mask_as_ever(kind):
    with pin(FIRST):
        pass
    os.sched_setaffinity(0, LAST)
    try:
        with kind(2) as pool:
            assert where_workers_run(pool) == [set(LAST)]
    finally:
        os.sched_setaffinity(0, ALL)


def test_it_survives_a_fork():
    code = f"""
import os, threadpool_iface as t
with t.pin(t.CPUPool({list(ALL)})) as pool:
    pool.parallel_for(4, lambda i, n: None)
    if not (child := os.fork()):
        with t.pin(t.CPUPool({list(LAST)})):
            seen = []
            t.parallel(3, lambda i, n: seen.append(i))
        os._exit(len(seen))
    print(os.waitpid(child, 0)[1] >> 8)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout == "3\n", done.stderr
