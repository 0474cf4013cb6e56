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
from contextlib import contextmanager, suppress
from functools import partial

from .active import (
    UNSET,
    get_max_threads,
    get_threadpool,
    in_parallel,
    set_threadpool,
    threadpool,
)
from .arguments import MAX_THREADS
from .errors import PoolClosedError
from .iface import ASYNCHRONOUS, ThreadpoolIface
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
            with _closing(pool):
                check(pool)
        except AssertionError as error:
            raise AssertionError(f"{check.__name__} on {pool!r}: {error}") from error
        except Exception as error:
            raise AssertionError(f"{check.__name__} on {pool!r} raised {error!r}") from error


@contextmanager
def _closing(pool: ThreadpoolIface) -> Iterator[None]:
    """Closes the pool, without letting a failure to close hide why the check failed."""
    try:
        yield
    except BaseException:
        with suppress(Exception):
            pool.close()
        raise
    pool.close()


def size_counts_the_caller(pool: ThreadpoolIface) -> None:
    size = pool.num_threads
    assert isinstance(size, int), f"num_threads is {size!r}, not an int"
    assert 1 <= size <= MAX_THREADS, f"num_threads is {size}, not in 1..{MAX_THREADS}"
    assert pool.get_num_threads() == size, "get_num_threads() differs from num_threads"
    with threadpool(pool):
        assert get_max_threads() == size, f"get_max_threads() is {get_max_threads()}, not {size}"


def flags_are_known(pool: ThreadpoolIface) -> None:
    assert pool.get_flags() in (0, ASYNCHRONOUS), f"get_flags() is {pool.get_flags()!r}"


def _ran(run: Callable[[Callable[[int, int], None]], None]) -> Counter[tuple[int, int]]:
    """How often each `(i, n)` ran in the region that `run(task)` starts."""
    seen: list[tuple[int, int]] = []
    run(lambda i, n: seen.append((i, n)))
    return Counter(seen)


def _by_method(pool: ThreadpoolIface, n: int, fn: Callable[[int, int], None]) -> None:
    """A direct call, complete: that of an asynchronous pool may return before its tasks end."""
    pool.parallel_for(n, fn)
    pool.wait()


def every_task_runs_once(pool: ThreadpoolIface) -> None:
    for n in SIZES:
        with threadpool(pool):
            ran = _ran(partial(parallel, n))
        assert ran == Counter((i, n) for i in range(n)), f"{n} tasks ran as {dict(ran)}"


def method_runs_every_task_once(pool: ThreadpoolIface) -> None:
    for n in (0, *SIZES):
        ran = _ran(partial(_by_method, pool, n))
        assert ran == Counter((i, n) for i in range(n)), f"{n} tasks ran as {dict(ran)}"


def threads_other_than_the_makers_may_use_it(pool: ThreadpoolIface) -> None:
    problems: list[str] = []

    def use() -> None:
        try:
            method_runs_every_task_once(pool)
        except Exception as error:
            problems.append(str(error) or repr(error))

    thread = threading.Thread(target=use)
    thread.start()
    thread.join()
    assert not problems, problems[0]


def loops_cover_every_point_once(pool: ThreadpoolIface) -> None:
    items: list[int] = []
    points: list[tuple[int, ...]] = []
    with threadpool(pool):
        parallel_for(1000, lambda begin, end: items.extend(range(begin, end)), grain=7)
        parallel_for(1000, lambda b, e: items.extend(range(b, e)), grain=9, schedule="dynamic")
        parallel_nd((5, 0, 3), lambda *point: points.append(point))
        parallel_nd((4, 9), lambda *point: points.append(point))
    assert Counter(items) == Counter(2 * [*range(1000)]), "parallel_for missed or repeated items"
    grid = [(i, j) for i in range(4) for j in range(9)]
    assert sorted(points) == grid, "parallel_nd missed or repeated points"


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


class _PlannedError(BaseException):
    """Not an Exception: KeyboardInterrupt and SystemExit travel in the same way."""


def _caught(region: Callable[[], object]) -> BaseException | None:
    try:
        region()
    except _PlannedError as error:
        return error
    return None


def first_failure_arrives_once(pool: ThreadpoolIface) -> None:
    events: list[str] = []

    def task(ithr: int, nthr: int) -> None:
        events.append("started")
        try:
            if ithr == 3:
                raise _PlannedError(ithr)
        finally:
            events.append("ended")

    for region in (partial(parallel, 10, task), partial(_by_method, pool, 10, task)):
        events.clear()
        with threadpool(pool):
            error = _caught(region)
        seen = Counter(events)
        assert error is not None, "the exception of a task did not reach the caller"
        assert error.args == (3,), f"the exception is {error!r}"
        assert seen["started"] == seen["ended"], f"the caller returned before its tasks: {seen}"
        assert not in_parallel(), "a failed region left the caller inside of it"
    every_task_runs_once(pool)


def no_task_starts_after_a_failure(pool: ThreadpoolIface) -> None:
    started: list[int] = []

    def task(ithr: int, nthr: int) -> None:
        started.append(ithr)
        raise _PlannedError(ithr)

    many = 64 * pool.num_threads
    assert _caught(partial(_by_method, pool, many, task)) is not None, "no exception"
    # Each thread may have started one when the first failed; a pool may have more threads than
    # num_threads says, but not one for each of so many tasks that it knows to have failed.
    assert len(started) < many, f"all {many} tasks started though each of them failed"


def many_callers_share_it(pool: ThreadpoolIface) -> None:
    problems: list[str] = []

    def caller(number: int) -> None:
        for round_ in range(ROUNDS):
            n = 1 + (number * ROUNDS + round_) % 13
            try:
                with threadpool(pool):
                    ran = _ran(partial(parallel, n))
            except Exception as error:
                problems.append(repr(error))
                continue
            if ran != Counter((i, n) for i in range(n)):
                problems.append(f"{n} tasks ran as {dict(ran)}")

    threads = [threading.Thread(target=caller, args=(i,)) for i in range(CALLERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not problems, problems[0]


def block_closes_and_does_not_activate(pool: ThreadpoolIface) -> None:
    before = get_threadpool()
    with pool as entered:
        assert entered is pool, f"`with pool` gives {entered!r}"
        assert get_threadpool() is before, "`with pool` made it active"
        every_task_runs_once(pool)
    assert pool.closed, "leaving `with pool` did not close it"


def closed_pool_says_so(pool: ThreadpoolIface) -> None:
    every_task_runs_once(pool)
    set_threadpool(pool)
    try:
        pool.close()
        pool.close()
        assert pool.closed, "closed is not set"
        for name, use in _uses(pool).items():
            try:
                use()
            except PoolClosedError:
                continue
            raise AssertionError(f"{name} on a closed pool did not raise PoolClosedError")
    finally:
        set_threadpool(UNSET)


def _uses(pool: ThreadpoolIface) -> dict[str, Callable[[], object]]:
    def nothing(i: int, n: int) -> None:
        pass

    return {
        "set_threadpool": lambda: set_threadpool(pool),
        "threadpool": lambda: threadpool(pool),
        "`with pool`": pool.__enter__,
        "parallel": lambda: parallel(2, nothing),
        "parallel_for": lambda: pool.parallel_for(2, nothing),
    }


CHECKS: tuple[Callable[[ThreadpoolIface], None], ...] = (
    size_counts_the_caller,
    flags_are_known,
    every_task_runs_once,
    method_runs_every_task_once,
    threads_other_than_the_makers_may_use_it,
    loops_cover_every_point_once,
    pointer_is_null_inside_a_region,
    nested_regions_run_inline,
    first_failure_arrives_once,
    no_task_starts_after_a_failure,
    many_callers_share_it,
    block_closes_and_does_not_activate,
    closed_pool_says_so,
)
