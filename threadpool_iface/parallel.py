"""Regions for Python callers: parallel, parallel_for, parallel_nd.

A task is a Python callable (which needs the GIL, so pure Python gains nothing from running on
several threads) or a native one, which runs without it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

from .active import get_max_threads
from .arguments import checked_int
from .decomposition import balance211
from .errors import check
from .native import ffi, lib

MAX_DIMS = 6
_SCHEDULES = (None, "static", "dynamic")


class _PythonRegion:
    """A region of Python tasks: what the C callback is handed, and the first exception."""

    def __init__(self, task: Callable[..., Any], args: tuple[Any, ...]) -> None:
        self.task, self.args = task, args
        self.error: BaseException | None = None

    def run(self, submit: Callable[[Any, Any], int]) -> None:
        handle = ffi.new_handle(self)
        code = submit(lib.tpi_python_task, handle)
        if self.error is not None:
            raise self.error
        check(code)


@ffi.def_extern(error=1)  # type: ignore[untyped-decorator]
def tpi_python_task(ctx: Any, ithr: int, nthr: int) -> int:
    region: _PythonRegion = ffi.from_handle(ctx)
    try:
        region.task(ithr, nthr, *region.args)
    except BaseException as error:  # travels to the caller, KeyboardInterrupt and SystemExit too
        if region.error is None:
            error.add_note(f"raised in task {ithr} of {nthr} of a parallel region")
            region.error = error
        return 1
    return 0


def _native_task(task: Any) -> Any:
    """The C function pointer of a native task, or None for a Python callable."""
    if isinstance(task, ffi.CData):
        if ffi.typeof(task) is not ffi.typeof("tpi_task"):
            raise TypeError(f"task must be a callable or a tpi_task pointer, not {task!r}")
        return task
    address = getattr(task, "address", None)  # a numba cfunc
    if isinstance(address, int) and not isinstance(address, bool):
        return ffi.cast("tpi_task", address)
    return None


def run_region(submit: Callable[[Any, Any], int], task: Any, args: tuple[Any, ...]) -> None:
    """`submit(task, ctx)` with the task in its C form; raises what the region ended with."""
    native = _native_task(task)
    if native is None:
        if not callable(task):
            raise TypeError(f"task must be callable, not {task!r}")
        _PythonRegion(task, args).run(submit)
        return
    if args:
        raise TypeError("a native task takes no args; give it a context of its own")
    check(submit(native, ffi.NULL))


def parallel(nthr: int, task: Any, *args: Any) -> None:
    """`for ithr in range(nthr): task(ithr, nthr, *args)` on the calling thread's effective pool.

    Parameters
    ----------
    nthr : int
        Number of tasks, whatever the pool's size; 0 means `get_max_threads()`.
    task : callable, numba cfunc or cffi pointer to `tpi_task`
        A native task, `int32_t(void *, int32_t ithr, int32_t nthr)`, gets a null context.
    *args
        Passed to a Python task.

    All tasks complete before it returns; they need not overlap. Without a pool, and inside a
    region, they run one after the other on the calling thread.

    Raises
    ------
    BaseException
        What the first failing Python task raised, with a note naming the task, once every running
        task has ended; no task starts after a failure.
    TaskError
        A native task returned a code other than 0.
    TypeError, ValueError
        `nthr` is not an integer, or negative; `task` cannot be called.
    PoolClosedError, OSError
        The pool is closed, or the system refused to start its workers.
    """
    nthr = checked_int(nthr, "nthr", 0, 2**31 - 1) or get_max_threads()
    run_region(lambda native, ctx: lib.tpi_parallel(nthr, native, ctx), task, args)


def _chunks(n: int, grain: int | None, schedule: str | None, most: int) -> int:
    """How many chunks to cut n items into."""
    threads = max(1, min(most, get_max_threads()))
    if schedule == "dynamic" or grain is not None:
        size = grain if grain is not None else max(1, n // (8 * threads))
        pieces = -(-n // size)
        # A static schedule gives each thread one contiguous range of whole grains.
        return pieces if schedule == "dynamic" else min(pieces, threads)
    return min(n, threads)


def parallel_for(
    n: int, body: Callable[..., Any], *args: Any, grain: int | None = None,
    schedule: str | None = None, max_num_threads: int | None = None,
) -> None:
    """`body(0, n, *args)` cut into contiguous ranges: `body(begin, end, *args)` for each.

    Parameters
    ----------
    n : int
        Items; 0 calls nothing.
    body : callable
        Called with the half-open range and `args`, at most once for each item.
    grain : int, optional
        Fewest items in a range but the last; chosen from `n` and the pool by default.
    schedule : "static", "dynamic" or None
        One range for each thread, or more and smaller ones that threads take as they get free.
        None is static. The ranges are offered to the pool as tasks; how they reach its threads is
        the pool's own business.
    max_num_threads : int, optional
        At most so many ranges with a static schedule; 0: the calling thread alone.

    Raises
    ------
    As `parallel`.
    """
    n = checked_int(n, "n", 0)
    if not callable(body):
        raise TypeError(f"body must be callable, not {body!r}")
    if grain is not None:
        grain = checked_int(grain, "grain", 1)
    if schedule not in _SCHEDULES:
        raise ValueError(f'schedule must be "static", "dynamic" or None, not {schedule!r}')
    most = get_max_threads()
    if max_num_threads is not None:
        most = checked_int(max_num_threads, "max_num_threads", 0)
    if n == 0:
        return
    if most == 0:
        _PythonRegion(lambda ithr, nthr: body(0, n, *args), ()).run(
            lambda task, ctx: lib.tpi_pool_parallel(ffi.NULL, 1, task, ctx)
        )
        return
    units = 1 if grain is None else grain

    def task(ithr: int, nthr: int) -> None:
        begin, end = balance211(-(-n // units), nthr, ithr)
        if begin < end:
            body(begin * units, min(n, end * units), *args)

    parallel(_chunks(n, grain, schedule, most), task)


def parallel_nd(dims: Sequence[int], body: Callable[..., Any], *args: Any) -> None:
    """`body(i0, i1, ..., *args)` for every point of a grid of 1 to 6 dimensions.

    Points are counted with the last dimension fastest and shared out as contiguous, even ranges.
    A dimension of 0 calls nothing.

    Raises
    ------
    As `parallel`.
    """
    if isinstance(dims, (str, bytes)) or not hasattr(dims, "__iter__"):
        raise TypeError(f"dims must be a sequence of integers, not {dims!r}")
    extents = tuple(checked_int(d, f"dims[{i}]", 0) for i, d in enumerate(dims))
    if not 1 <= len(extents) <= MAX_DIMS:
        raise ValueError(f"dims must have 1 to {MAX_DIMS} entries, not {len(extents)}")

    def points(begin: int, end: int) -> None:
        for linear in range(begin, end):
            point = []
            for extent in reversed(extents):
                linear, i = divmod(linear, extent)
                point.append(i)
            body(*reversed(point), *args)

    if not callable(body):
        raise TypeError(f"body must be callable, not {body!r}")
    parallel_for(prod(extents), points)
