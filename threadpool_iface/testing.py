"""The conformance test for anybody's pool: `check_pool(factory)`.

    from threadpool_iface.testing import check_pool
    check_pool(lambda: MyPool(4))

Each check takes a fresh pool and raises AssertionError with what was expected; it needs no test
framework.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator

from .active import get_max_threads, get_threadpool, in_parallel, set_threadpool, threadpool
from .arguments import MAX_THREADS
from .errors import PoolClosedError
from .iface import ThreadpoolIface
from .parallel import parallel, parallel_for, parallel_nd

Factory = Callable[[], ThreadpoolIface]
#: Around the pool sizes people have, with more tasks than threads as the normal case.
SIZES = (1, 2, 3, 7, 8, 64, 257)
CALLERS, ROUNDS = 8, 25


def check_pool(factory: Factory) -> None:
    """Check every property of the contract on pools made by `factory()`, closing each.

    Raises
    ------
    AssertionError
        A property does not hold; the message names the check, the pool and what was seen.
    TypeError
        `factory()` does not return a ThreadpoolIface.
    """
    for check in CHECKS:
        pool = factory()
        if not isinstance(pool, ThreadpoolIface):
            raise TypeError(f"factory() must return a ThreadpoolIface, not {pool!r}")
        try:
            check(pool)
        except AssertionError as error:
            raise AssertionError(f"{check.__name__} on {pool!r}: {error}") from error
        finally:
            pool.close()


def size_counts_the_caller(pool: ThreadpoolIface) -> None:
    size = pool.num_threads
    assert isinstance(size, int), f"num_threads is {size!r}, not an int"
    assert 1 <= size <= MAX_THREADS, f"num_threads is {size}, not in 1..{MAX_THREADS}"
    assert pool.get_num_threads() == size, "get_num_threads() differs from num_threads"
    with threadpool(pool):
        assert get_max_threads() == size, f"get_max_threads() is {get_max_threads()}, not {size}"


def every_task_runs_once(pool: ThreadpoolIface) -> None:
    for n in SIZES:
        seen: Counter[tuple[int, int]] = Counter()
        with threadpool(pool):
            parallel(n, lambda i, nthr, seen=seen: seen.update([(i, nthr)]))
        expected = Counter((i, n) for i in range(n))
        assert seen == expected, f"{n} tasks ran as {dict(seen)}"


def method_runs_every_task_once(pool: ThreadpoolIface) -> None:
    for n in SIZES:
        seen: Counter[tuple[int, int]] = Counter()
        pool.parallel_for(n, lambda i, nthr, seen=seen: seen.update([(i, nthr)]))
        assert seen == Counter((i, n) for i in range(n)), f"{n} tasks ran as {dict(seen)}"


def loops_cover_every_point_once(pool: ThreadpoolIface) -> None:
    items: Counter[int] = Counter()
    points: Counter[tuple[int, int]] = Counter()
    with threadpool(pool):
        parallel_for(1000, lambda begin, end: items.update(range(begin, end)), grain=7)
        parallel_nd((5, 0, 3), lambda *point: points.update([point]))
        parallel_nd((4, 9), lambda i, j: points.update([(i, j)]))
    assert items == Counter(range(1000)), "parallel_for missed or repeated items"
    assert points == Counter((i, j) for i in range(4) for j in range(9)), "parallel_nd did"


def pointer_is_null_inside_a_region(pool: ThreadpoolIface) -> None:
    seen = []

    def task(ithr: int, nthr: int) -> None:
        try:
            set_threadpool(None)
        except RuntimeError:
            seen.append((get_threadpool(), in_parallel(), pool.get_in_parallel()))

    with threadpool(pool):
        parallel(5, task)
        assert get_threadpool() is pool, "the active pool changed"
    assert seen == [(None, True, True)] * 5, f"inside a region: {seen}"
    assert not pool.get_in_parallel(), "get_in_parallel() outside a region"


def nested_regions_run_inline(pool: ThreadpoolIface) -> None:
    seen = []

    def outer(ithr: int, nthr: int) -> None:
        me = threading.get_ident()

        def inner(i: int, n: int) -> None:
            seen.append((i, n, threading.get_ident() == me))

        parallel(3, inner)

    with threadpool(pool):
        parallel(4, outer)
    expected = sorted([(i, 3, True) for i in range(3)] * 4)
    assert sorted(seen) == expected, f"nested tasks ran as {seen}"


class _PlannedError(Exception):
    pass


def first_failure_arrives_once(pool: ThreadpoolIface) -> None:
    running: Counter[str] = Counter()

    def task(ithr: int, nthr: int) -> None:
        running["started"] += 1
        try:
            if ithr == 3:
                raise _PlannedError(ithr)
        finally:
            running["ended"] += 1

    for _ in range(3):
        running.clear()
        try:
            with threadpool(pool):
                parallel(10, task)
        except _PlannedError as error:
            assert error.args == (3,), f"the exception is {error!r}"
        else:
            raise AssertionError("the exception of a task did not reach the caller")
        assert running["started"] == running["ended"], "the caller returned before its tasks"
    every_task_runs_once(pool)


def many_callers_share_it(pool: ThreadpoolIface) -> None:
    problems: list[str] = []

    def caller(number: int) -> None:
        for round_ in range(ROUNDS):
            n = 1 + (number * ROUNDS + round_) % 13
            seen: Counter[int] = Counter()
            try:
                with threadpool(pool):
                    parallel(n, lambda i, nthr, seen=seen: seen.update([i]))
            except Exception as error:
                problems.append(repr(error))
            if seen != Counter(range(n)):
                problems.append(f"{n} tasks ran as {dict(seen)}")

    threads = [threading.Thread(target=caller, args=(i,)) for i in range(CALLERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not problems, problems[0]


def closed_pool_says_so(pool: ThreadpoolIface) -> None:
    every_task_runs_once(pool)
    pool.close()
    pool.close()
    assert pool.closed, "closed is not set"
    for use in _uses(pool):
        try:
            use()
        except PoolClosedError:
            continue
        raise AssertionError("a closed pool was used without PoolClosedError")


def _uses(pool: ThreadpoolIface) -> Iterator[Callable[[], object]]:
    yield lambda: set_threadpool(pool)
    yield lambda: threadpool(pool).__enter__()
    yield lambda: pool.__enter__()


CHECKS: tuple[Callable[[ThreadpoolIface], None], ...] = (
    size_counts_the_caller,
    every_task_runs_once,
    method_runs_every_task_once,
    loops_cover_every_point_once,
    pointer_is_null_inside_a_region,
    nested_regions_run_inline,
    first_failure_arrives_once,
    many_callers_share_it,
    closed_pool_says_so,
)
