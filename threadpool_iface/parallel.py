"""Regions: parallel, parallel_for, parallel_nd, parallel_reduce, parallel_scan.

They run on the calling thread's effective pool. Without a pool, and inside a region, the tasks run
one after the other on the calling thread, in order. A body compiled with numba's `@njit` is run by
a launcher of its own, without the GIL; `user_kernels` has those, and what makes the same functions
callable from compiled code.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce
from itertools import accumulate, count
from math import prod
from typing import Any

from .active import get_max_threads, get_threadpool
from .arguments import checked_int
from .decomposition import balance211
from .errors import check
from .native import ffi, lib
from .region import MAX_TASKS, known_native, run_region
from .user_kernels.chunk_size import chunk_size
from .user_kernels.dispatch import ATTRIBUTES, chunks_launcher_of, launcher_of
from .user_kernels.options import MAX_DIMS, NOT_GIVEN, SCHEDULES

_NO_CONTEXT = ffi.NULL
_LOOP = ATTRIBUTES["loop"]
_GRIDS = {ndim: f"grid{ndim}" for ndim in range(1, MAX_DIMS + 1)}

#: Pieces for each thread of a dynamic schedule without a grain. A guess: the last piece then costs
#: at most about an eighth of a thread's share.
_PIECES_PER_THREAD = 8


def parallel(nthr: int, task: Any, *args: Any) -> None:
    """`for ithr in range(nthr): task(ithr, nthr, *args)` on the calling thread's effective pool.

    Parameters
    ----------
    nthr : int
        Number of tasks, whatever the pool's size; 0 means `get_max_threads()`.
    task : callable, njit function, numba cfunc or cffi pointer to `tpi_task`
        A native task, `int32_t(void *, int32_t ithr, int32_t nthr)`, gets a null context, runs
        without the GIL, and fails by returning a positive code.
    *args
        Passed to a Python task or an njit function.

    All tasks complete before it returns; they need not overlap. Any number of threads may call it
    at once.

    Raises
    ------
    BaseException
        What the first failing task raised, once every running task has ended; no task starts after
        a failure. A Python task's has a note that names the task.
    TaskError
        A native task failed; `code` is what it returned.
    TypeError, ValueError
        `nthr` is not an integer, or negative; `task` cannot be called.
    PoolClosedError, OSError
        The pool is closed, or the system refused to start its workers.
    ThreadpoolError
        The pool did not run every task exactly once.
    """
    native = known_native(task)
    if native is not None and type(nthr) is int and 0 < nthr <= MAX_TASKS and not args:
        if code := lib.tpi_parallel(nthr, native, _NO_CONTEXT):
            check(code, get_threadpool())
        return
    launch = launcher_of("tasks", task, len(args))
    nthr = checked_int(nthr, "nthr", 0, MAX_TASKS)
    if launch is not None:
        launch(nthr, *args)
        return
    nthr = nthr or get_max_threads()
    run_region(lambda native, ctx: lib.tpi_parallel(nthr, native, ctx), nthr, task, args,
               get_threadpool)


def parallel_for(
    n: int, body: Callable[..., Any], *args: Any, grain: int | None = None,
    schedule: str | None = None, max_num_threads: int | None = None, cost: float | None = None,
) -> None:
    """`body(0, n, *args)` cut into contiguous ranges: `body(begin, end, *args)` for each.

    Parameters
    ----------
    n : int
        Items; 0 calls nothing.
    body : callable
        Called with half-open ranges, and `args`, that hold each item once.
    grain : int, optional
        Items of the smallest range worth scheduling: ranges hold whole grains, but for the last.
    schedule : "static", "dynamic" or None
        One range for each thread (`balance211`), or more and smaller ones, of one grain each, that
        threads take as they get free. None is static, but for an njit function without a grain:
        threads then measure what its items take, and take as many at a time as are worth it.
    max_num_threads : int, optional
        Use at most so many tasks. 0: one range, on the calling thread, never through a pool.
    cost : float, optional
        About how many CPU cycles one item takes, instead of a grain: ranges then take about 40000
        cycles, or a quarter of a thread's share if that is more (the cost model of Eigen's and
        TensorFlow's loops), and None is dynamic.

    Raises
    ------
    As `parallel`; a dynamic schedule starts no range after a failure.
    """
    try:  # what launcher_of does, without a call
        launch = body.__dict__[_LOOP][len(args)]
    except (AttributeError, KeyError):
        launch = launcher_of("loop", body, len(args))
    if launch is not None and (
        type(n) is int and n >= 0 and grain is None and schedule is None
        and max_num_threads is None and cost is None
    ):
        # Adding tuples takes 0.05 us less than unpacking one of them.
        launch(*((n, NOT_GIVEN, 0, NOT_GIVEN, 0.0) + args))  # noqa: RUF005
        return
    n = checked_int(n, "n", 0)
    if not callable(body):
        raise TypeError(f"body must be callable, not {body!r}")
    if grain is not None:
        grain = checked_int(grain, "grain", 1)
    if schedule not in SCHEDULES:
        raise ValueError(f'schedule must be "static", "dynamic" or None, not {schedule!r}')
    if max_num_threads is not None:
        max_num_threads = checked_int(max_num_threads, "max_num_threads", 0)
    _check_cost(cost, grain)
    if launch is not None:
        launch(n, NOT_GIVEN if grain is None else grain, SCHEDULES[schedule],
               NOT_GIVEN if max_num_threads is None else max_num_threads, float(cost or 0), *args)
        return
    if n == 0:
        return
    if max_num_threads == 0:
        _on_the_caller(lambda ithr, nthr: body(0, n, *args))
        return
    threads = get_max_threads() if max_num_threads is None else min(
        max_num_threads, get_max_threads()
    )
    dynamic = schedule == "dynamic" or (schedule is None and cost is not None)
    if cost is not None:
        grain = int(lib.tpi_block_size(n, cost, threads))
    elif grain is None:
        grain = max(1, n // (_PIECES_PER_THREAD * threads)) if dynamic else 1
    pieces = -(-n // grain)

    def run(begin: int, end: int) -> None:
        body(begin * grain, min(n, end * grain), *args)

    parallel(min(pieces, threads), _claiming(pieces, run) if dynamic else _sharing(pieces, run))


def _check_cost(cost: float | None, grain: int | None) -> None:
    if cost is None:
        return
    if isinstance(cost, bool) or not isinstance(cost, (int, float)):
        raise TypeError(f"cost must be a number of cycles, not {cost!r}")
    if not cost > 0:  # NaN too
        raise ValueError(f"cost must be more than 0 cycles, not {cost}")
    if grain is not None:
        raise ValueError("give a grain or a cost, not both: the cost is there to choose the grain")


def _on_the_caller(task: Callable[[int, int], Any]) -> None:
    run_region(lambda native, ctx: lib.tpi_pool_parallel(ffi.NULL, 1, native, ctx), 1, task, (),
               lambda: None)


def _sharing(pieces: int, run: Callable[[int, int], Any]) -> Callable[[int, int], None]:
    """A task that runs its even share of the pieces."""

    def task(ithr: int, nthr: int) -> None:
        run(*balance211(pieces, nthr, ithr))

    return task


def _claiming(pieces: int, run: Callable[[int, int], Any]) -> Callable[[int, int], None]:
    """A task that runs pieces, one by one, until none is left or one has failed."""
    claims = count()
    failed: list[int] = []

    def task(ithr: int, nthr: int) -> None:
        # next() of a count is atomic, so no two tasks claim the same piece.
        while not failed and (piece := next(claims)) < pieces:
            try:
                run(piece, piece + 1)
            except BaseException:
                failed.append(piece)
                raise

    return task


def parallel_nd(dims: Sequence[int], body: Callable[..., Any], *args: Any) -> None:
    """`body(i0, i1, ..., *args)` for every point of a grid of 1 to 6 dimensions.

    Points are counted with the last dimension fastest and shared out as contiguous, even ranges.
    A dimension of 0 calls nothing.

    Raises
    ------
    As `parallel`; TypeError or ValueError if `dims` is not 1 to 6 integers of at least 0.
    """
    if type(dims) is tuple and _run_compiled_grid(dims, body, args):
        return
    if isinstance(dims, (str, bytes)) or not hasattr(dims, "__iter__"):
        raise TypeError(f"dims must be a sequence of integers, not {dims!r}")
    extents = tuple(checked_int(d, f"dims[{i}]", 0) for i, d in enumerate(dims))
    if not 1 <= len(extents) <= MAX_DIMS:
        raise ValueError(f"dims must have 1 to {MAX_DIMS} entries, not {len(extents)}")
    if not callable(body):
        raise TypeError(f"body must be callable, not {body!r}")
    if _run_compiled_grid(extents, body, args):
        return

    def points(begin: int, end: int) -> None:
        for linear in range(begin, end):
            point = []
            for extent in reversed(extents):
                linear, i = divmod(linear, extent)
                point.append(i)
            body(*reversed(point), *args)

    parallel_for(prod(extents), points)


def _run_compiled_grid(dims: tuple[Any, ...], body: Any, args: tuple[Any, ...]) -> bool:
    """Run a compiled body; False if it is none, or if there is something to be checked."""
    for extent in dims:
        if type(extent) is not int or extent < 0:
            return False
    kind = _GRIDS.get(len(dims))
    launch = None if kind is None else launcher_of(kind, body, len(args))
    if launch is None:
        return False
    launch(*(dims + args))
    return True


def parallel_reduce(
    n: int, body: Callable[..., Any], init: Any, *args: Any, combine: Callable[[Any, Any], Any],
    grain: int | None = None,
) -> Any:
    """`body(0, n, init, *args)`, in chunks whose results are combined in order.

    Equals, for the ranges that items are cut into: `combine(combine(p0, p1), p2)` and so on, with
    `p = body(begin, end, init, *args)`. The cut comes from `n` and `grain` alone, so the result has
    the same bits on every pool and for every number of threads.

    Parameters
    ----------
    n : int
        Items; the result for 0 is `init`.
    body : callable
        Called with half-open ranges, `init` and `args`; returns the range's result.
    init
        Every range starts from it, so it must change nothing: `combine(init, p)` is `p`.
    combine : callable
        `combine(a, b)` of two results, `a` of the items before those of `b`.
    grain : int, optional
        Items of a chunk. None: about 64 chunks, 256 for 65536 items and more.

    Raises
    ------
    As `parallel_for`.
    """
    launch = chunks_launcher_of("reduce", (body, combine), len(args))
    n, grain = _checked_chunks(n, body, combine, grain)
    if launch is not None:
        return launch(n, NOT_GIVEN if grain is None else grain, init, *args)
    ranges = _chunks(n, grain)
    partials = [init] * len(ranges)

    def run(first: int, last: int) -> None:
        for i in range(first, last):
            partials[i] = body(*ranges[i], init, *args)

    parallel_for(len(ranges), run, grain=1, schedule="dynamic")
    return reduce(combine, partials) if partials else init


def parallel_scan(
    n: int, body: Callable[..., Any], init: Any, *args: Any, combine: Callable[[Any, Any], Any],
    grain: int | None = None, total: Callable[..., Any] | None = None,
) -> Any:
    """`body(0, n, init, *args)` for a body that carries a value from item to item: a scan.

    The body is given a range and the value carried into it, writes what belongs to each item, and
    returns the value carried out. Two passes over chunks, which are those of `parallel_reduce`: the
    first starts each from `init` and combines what they return, the second starts each from that.
    The result is what the last one returns.

    Parameters
    ----------
    n, init, combine, grain
        As in `parallel_reduce`.
    body : callable
        `body(begin, end, carry, *args)`. Called twice for most ranges, so what it writes must not
        be what it reads, unless `total` is given.
    total : callable, optional
        `total(begin, end, init, *args)` returns what `body` would and writes nothing: it takes the
        body's place in the first pass, for scans in place or for speed.

    Raises
    ------
    As `parallel_for`.
    """
    first_pass = body if total is None else total
    launch = chunks_launcher_of("scan", (body, combine, first_pass), len(args))
    n, grain = _checked_chunks(n, body, combine, grain)
    if not callable(first_pass):
        raise TypeError(f"total must be callable or None, not {total!r}")
    if launch is not None:
        return launch(n, NOT_GIVEN if grain is None else grain, init, *args)
    ranges = _chunks(n, grain)
    totals, results = [init] * len(ranges), [init] * len(ranges)

    def sum_up(first: int, last: int) -> None:
        for i in range(first, last):
            totals[i] = first_pass(*ranges[i], init, *args)

    def run(first: int, last: int) -> None:
        for i in range(first, last):
            results[i] = body(*ranges[i], carries[i], *args)

    parallel_for(max(len(ranges) - 1, 0), sum_up, grain=1, schedule="dynamic")
    carries = list(accumulate(totals[:-1], combine, initial=init))
    parallel_for(len(ranges), run, grain=1, schedule="dynamic")
    return results[-1] if results else init


def _checked_chunks(
    n: int, body: Any, combine: Any, grain: int | None
) -> tuple[int, int | None]:
    n = checked_int(n, "n", 0)
    for name, function in (("body", body), ("combine", combine)):
        if not callable(function):
            raise TypeError(f"{name} must be callable, not {function!r}")
    return n, None if grain is None else checked_int(grain, "grain", 1)


def _chunks(n: int, grain: int | None) -> list[tuple[int, int]]:
    size = chunk_size(n) if grain is None else grain
    return [(begin, min(n, begin + size)) for begin in range(0, n, size)]
