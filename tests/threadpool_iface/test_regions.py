"""parallel, parallel_for and parallel_nd: coverage, errors, nesting, callers, closing."""

from __future__ import annotations

import threading
import weakref
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import numba
import pytest
from hypothesis import given
from hypothesis import strategies as st

from threadpool_iface import (
    EigenLikePool,
    OmpLikePool,
    PoolClosedError,
    TaskError,
    get_max_threads,
    parallel,
    parallel_for,
    parallel_nd,
    threadpool,
)
from threadpool_iface.native import ffi

from .pools_under_test import ALL

pytestmark = pytest.mark.filterwarnings("ignore::threadpool_iface.OversubscriptionWarning")

DIMS = [(0,), (1,), (7,), (3, 0), (0, 3), (2, 5), (1, 1, 1), (2, 0, 4), (3, 2, 4), (2, 3, 1, 2),
        (0, 0, 0, 0), (2, 1, 2, 3, 1), (1, 2, 0, 2, 2), (2, 1, 2, 1, 3, 2), (1, 1, 1, 1, 1, 0)]


@pytest.fixture(params=ALL)
def pool(request):
    with ALL[request.param]() as made, threadpool(made):
        yield made


@pytest.mark.parametrize("dims", DIMS, ids=str)
def test_parallel_nd_visits_each_point_once(dims, pool):
    seen: Counter = Counter()
    parallel_nd(dims, lambda *point: seen.update([point]))
    expected = [()]
    for extent in dims:
        expected = [(*point, i) for point in expected for i in range(extent)]
    assert seen == Counter(expected)


@given(n=st.integers(0, 300), grain=st.one_of(st.none(), st.integers(1, 400)),
       schedule=st.sampled_from([None, "static", "dynamic"]),
       most=st.one_of(st.none(), st.integers(0, 9)))
def test_parallel_for_covers_each_item_once_in_whole_grains(n, grain, schedule, most):
    ranges = []
    with OmpLikePool(3) as made, threadpool(made):
        parallel_for(n, lambda b, e: ranges.append((b, e)), grain=grain, schedule=schedule,
                     max_num_threads=most)
    assert Counter(i for b, e in ranges for i in range(b, e)) == Counter(range(n))
    assert all(b < e for b, e in ranges)
    if grain and most != 0:
        assert all(e - b >= grain or e == n for b, e in ranges)
    if most == 0 or (most is not None and schedule != "dynamic"):
        assert len(ranges) <= max(1, most)


@pytest.mark.parametrize("schedule", ["static", "dynamic"])
@pytest.mark.parametrize("most", [0, 1, 2])
def test_max_num_threads_bounds_the_tasks(schedule, most):
    threads = set()
    with OmpLikePool(2) as made, threadpool(made):
        parallel_for(1000, lambda b, e: threads.add(threading.get_ident()), grain=1,
                     schedule=schedule, max_num_threads=most)
    assert len(threads) <= max(1, most)
    if most < 2:
        assert threads == {threading.get_ident()}


def test_a_dynamic_schedule_hands_ranges_to_whoever_is_free():
    """One task is held on its first range until all other ranges have run elsewhere."""
    with OmpLikePool(2) as made, threadpool(made):
        others, held = threading.Semaphore(0), threading.Event()

        def body(begin, end):
            if not held.is_set():
                held.set()
                for _ in range(9):
                    assert others.acquire(timeout=60)
            else:
                others.release()

        parallel_for(10, body, grain=1, schedule="dynamic")
    assert held.is_set()


def test_a_dynamic_schedule_starts_no_range_after_a_failure():
    both, failing, started = threading.Barrier(2), threading.Event(), []

    def body(begin, end):
        if begin < 2:
            both.wait(timeout=60)
        if begin == 0:
            failing.set()
            raise ValueError("planned")
        assert failing.wait(timeout=60)
        started.append(begin)

    with OmpLikePool(2) as made, threadpool(made), pytest.raises(ValueError, match="planned"):
        parallel_for(100_000, body, grain=1, schedule="dynamic")
    assert len(started) < 99_999


def test_nthr_zero_means_get_max_threads(pool):
    seen = []
    parallel(0, lambda i, n: seen.append(n))
    assert seen == [get_max_threads()] * get_max_threads()


def test_args_reach_the_task(pool):
    seen = []
    parallel(1, lambda i, n, a, b: seen.append((a, b)), "a", 2)
    parallel_for(1, lambda b, e, x: seen.append(x), "x")
    parallel_nd((1,), lambda i, x: seen.append(x), "y")
    assert seen == [("a", 2), "x", "y"]


@pytest.mark.parametrize(("n", "error"), [(-1, ValueError), (True, TypeError), (2.0, TypeError),
                                          ("3", TypeError), (None, TypeError)])
def test_counts_are_checked(n, error):
    for call in (lambda: parallel(n, print), lambda: parallel_for(n, print),
                 lambda: parallel_nd((2, n), print)):
        with pytest.raises(error):
            call()


@pytest.mark.parametrize("call", [
    lambda: parallel(2, 3), lambda: parallel_for(2, None), lambda: parallel_nd((1,), "f"),
    lambda: parallel_nd(3, print), lambda: parallel_for(2, print, grain=1.5),
])
def test_wrong_types_are_refused(call):
    with pytest.raises(TypeError):
        call()


@pytest.mark.parametrize("call", [
    lambda: parallel_for(2, print, grain=0), lambda: parallel_for(2, print, schedule="guided"),
    lambda: parallel_nd((), print), lambda: parallel_nd((1,) * 7, print),
    lambda: parallel_for(2, print, max_num_threads=-1),
])
def test_values_outside_their_domain_are_refused(call):
    with pytest.raises(ValueError, match="must"):
        call()


@pytest.mark.parametrize("kind", [ValueError, KeyboardInterrupt, SystemExit])
def test_exceptions_arrive_once_with_the_task_in_a_note(kind, pool):
    def task(i, n):
        if i == 2:
            raise kind("planned")

    with pytest.raises(kind, match="planned") as caught:
        parallel(6, task)
    assert caught.value.__notes__ == ["raised in task 2 of 6 of a parallel region"]
    assert any(entry.name == "task" for entry in caught.traceback)
    parallel(6, lambda i, n: None)


def test_no_task_starts_after_a_failure(pool):
    started = []

    def task(i, n):
        started.append(i)
        raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011
        parallel(500, task)
    # At most one was already starting on each thread, or on each of a thread-per-task pool's.
    assert len(started) < 500 or pool.num_threads == 4


def test_a_failure_in_a_nested_region_leaves_both(pool):
    def outer(i, n):
        parallel(3, lambda a, b: [][a])

    with pytest.raises(IndexError):
        parallel(2, outer)


@pytest.mark.parametrize("code", [0, 7])
def test_native_tasks_run_and_their_code_arrives(code, pool):
    @numba.cfunc("int32(voidptr, int32, int32)")
    def task(ctx, ithr, nthr):
        return code if ithr == nthr - 1 else 0

    if code:
        with pytest.raises(TaskError) as caught:
            parallel(4, task)
        assert caught.value.code == code
    else:
        parallel(4, task)
    with pytest.raises(TypeError, match="args"):
        parallel(4, task, "context")


@pytest.mark.parametrize("signature", ["int64(voidptr, int32, int32)", "int32(voidptr, int32)",
                                       "int32(voidptr, int32, float32)"])
def test_native_tasks_of_another_signature_are_refused(signature):
    body = eval(f"lambda {', '.join('abc'[:signature.count(',') + 1])}: 0")
    with pytest.raises(TypeError, match="int32, int32"):
        parallel(2, numba.cfunc(signature)(body))


def test_other_c_pointers_are_refused():
    with pytest.raises(TypeError, match="tpi_task"):
        parallel(2, ffi.new("int32_t *"))


def test_a_failed_regions_exception_is_freed_at_once():
    refs = []

    class WitnessError(Exception):
        def __init__(self):
            refs.append(weakref.ref(self))

    def task(i, n):
        raise WitnessError

    with suppress(WitnessError):
        parallel(1, task)
    assert refs[0]() is None


def test_many_callers_on_many_pools_at_once():
    with OmpLikePool(2) as a, EigenLikePool(3) as b, OmpLikePool(4, schedule="dynamic") as c:
        def caller(i):
            for round_ in range(30):
                with threadpool((a, b, c)[(i + round_) % 3]):
                    seen = []
                    parallel(1 + (i + round_) % 9, lambda k, n, seen=seen: seen.append((k, n)))
                n = 1 + (i + round_) % 9
                if sorted(seen) != [(k, n) for k in range(n)]:
                    return seen
            return None

        with ThreadPoolExecutor(8) as threads:
            assert list(threads.map(caller, range(8))) == [None] * 8


@pytest.mark.parametrize("kind", [OmpLikePool, EigenLikePool])
def test_a_pool_whose_workers_are_all_stalled_serves_other_callers(kind):
    """A staller holds every thread of a region while another caller's regions must complete."""
    with kind(3) as pool:
        inside, leave = threading.Barrier(4), threading.Event()

        def stall(i, n):
            inside.wait(timeout=60)
            leave.wait(timeout=60)

        def staller():
            with threadpool(pool):
                parallel(3, stall)

        thread = threading.Thread(target=staller)
        thread.start()
        inside.wait(timeout=60)
        try:
            seen = []
            with threadpool(pool):
                for _ in range(20):
                    parallel(5, lambda i, n: seen.append(i))
            assert Counter(seen) == Counter(20 * [*range(5)])
        finally:
            leave.set()
            thread.join()


@pytest.mark.parametrize("kind", [OmpLikePool, EigenLikePool])
def test_close_waits_for_running_regions_and_later_callers_get_an_error(kind):
    pool = kind(2)
    inside, leave, ended = threading.Event(), threading.Event(), []

    def task(i, n):
        inside.set()
        leave.wait(timeout=60)
        ended.append(i)

    caller = threading.Thread(target=lambda: pool.parallel_for(3, task))
    caller.start()
    inside.wait(timeout=60)
    closer = threading.Thread(target=pool.close)
    closer.start()
    while not pool.closed:
        pass
    with pytest.raises(PoolClosedError):
        pool.parallel_for(1, lambda i, n: None)
    assert closer.is_alive()
    assert not ended
    leave.set()
    closer.join()
    caller.join()
    assert sorted(ended) == [0, 1, 2]


def test_closing_from_inside_its_own_region_is_refused(pool):
    with pytest.raises(RuntimeError):
        parallel(2, lambda i, n: pool.close())
    parallel(2, lambda i, n: None)


def test_late_calls_of_a_python_pools_task_raise():
    kept = []

    class Keeps(type(ALL["python"]())):
        def parallel_for(self, n, fn):
            kept.append(fn)
            super().parallel_for(n, fn)

    with Keeps() as made, threadpool(made):
        parallel(2, lambda i, n: None)
        with pytest.raises(Exception, match="after its region had ended"):
            kept[0](0, 2)


def test_an_exception_of_the_pool_itself_reaches_the_caller():
    class Fails(type(ALL["python"]())):
        def parallel_for(self, n, fn):
            raise LookupError("no threads today")

    with Fails() as made, threadpool(made), pytest.raises(LookupError, match="no threads today"):
        parallel(2, lambda i, n: None)
