"""ThreadpoolIface, the contract of a pool. Its docstring is the guide for writing one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import wraps
from itertools import count
from sys import is_finalizing
from types import TracebackType
from typing import Any, ClassVar, NoReturn, Self
from weakref import WeakValueDictionary

from .arguments import MAX_THREADS, checked_int
from .errors import PoolClosedError, ThreadpoolError, UnsupportedError, check, keep_pending
from .native import ffi, lib
from .region import MAX_TASKS, known_native, native_task, run_region
from .stats import PoolStats, read_stats

#: A flag of `get_flags()`: `parallel_for` may return before its tasks have ended.
ASYNCHRONOUS: int = lib.TPI_ASYNCHRONOUS


class ThreadpoolIface(ABC):
    """What a pool is to everything that runs on one.

    A *region* is `for i in range(n): fn(i, n)`, run by the pool's threads: each `fn(i, n)` is a
    *task*. The library's own pools are native; a pool of your own is a subclass with two members:

        class MyPool(ThreadpoolIface):
            def __init__(self, executor, size):
                self.executor, self.size = executor, size

            @property
            def num_threads(self):
                return self.size

            def parallel_for(self, n, fn):
                list(self.executor.map(lambda i: fn(i, n), range(n)))

    What you may rely on: `fn` releases the GIL while a native task runs; it never raises because
    a task failed (the library keeps the first failure, skips the tasks that have not started, and
    raises in the caller after `parallel_for` returned); two regions never share an `fn`; `n` is at
    least 1; a closed pool is not called. All this holds for a direct `pool.parallel_for(n, fn)`
    too: it is made a region before it reaches your method.

    What is relied on: every `fn(i, n)` is called exactly once, from any threads, in any order;
    `parallel_for` returns when all of them have returned (or, if `get_flags()` has `ASYNCHRONOUS`,
    `wait()` does); several threads may call `parallel_for` at once; the calling thread may run
    tasks itself, and tasks need not overlap. `num_threads`, an int in 1..4096, and `get_flags()`
    do not change. A region started from inside a task never reaches a pool: it runs inline.

    What happens otherwise: a task called twice or never is a ThreadpoolError in the caller, which
    names the pool; an exception that leaves `parallel_for` or `wait` reaches the caller; a task
    called after its region has ended raises instead of running; a wrong `num_threads` is a
    TypeError or ValueError when the pool is first used.

    Your pool ends its threads in `close`: `super().close()` first, which waits for running regions
    and refuses later ones. `threadpool_iface.testing.check_pool` tests all this. A pool written in
    C fills a `tpi_pool_ops` instead (see `get_include()`) and comes here as a `ForeignPool`.
    """

    #: Made on first use, so that a subclass's `__init__` need not call this one's.
    _handle: Any = None
    #: Tells it from all pools of this process; it has one as soon as it has a handle.
    _number: int
    #: Why it has its size, for `who()`.
    size_from: str = "its own"
    #: Whether regions come to Python's `parallel_for`; the native pools run them in C.
    _python_regions: ClassVar[bool] = True

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        own = cls.__dict__.get("parallel_for")
        if cls._python_regions and callable(own):
            cls.parallel_for = _as_region(own)  # type: ignore[method-assign]

    @property
    @abstractmethod
    def num_threads(self) -> int:
        """Threads that can run tasks at once, the caller included. It does not change."""

    @abstractmethod
    def parallel_for(self, n: int, fn: Callable[[int, int], Any]) -> None:
        """Call `fn(i, n)` once for every i in `range(n)` and return when all have returned."""

    def get_num_threads(self) -> int:
        """`num_threads`, under oneDNN's name."""
        return self.num_threads

    def get_in_parallel(self) -> bool:
        """Whether the calling thread is in one of this pool's tasks."""
        return bool(lib.tpi_pool_in_parallel(self._native))

    def get_flags(self) -> int:
        """0, or ASYNCHRONOUS."""
        return 0

    def wait(self) -> None:  # noqa: B027 - a synchronous pool has nothing to wait for
        """Until every region this thread started has ended. Nothing to do unless asynchronous."""

    def run_together(self, n: int, task: Any, *args: Any) -> None:
        """`task(ithr, n, *args)` for every ithr in `range(n)`, all at the same time: a gang.

        Each task has a thread of its own, the caller's among them, so tasks may wait for each
        other; `barrier()` is for that. It waits while other regions or another gang hold the
        threads. Every task starts, whatever becomes of the others; a failure breaks the barrier
        and arrives here once all of them have ended.

        Parameters
        ----------
        n : int
            Tasks, at most `num_threads`; 0 means `num_threads`.
        task : callable or native task
            As in `parallel`.

        Raises
        ------
        TypeError, ValueError
            `n` is not an integer in 0..num_threads; `task` cannot be called.
        UnsupportedError
            The pool cannot promise it: pools written in Python, for n > 1.
        RuntimeError
            Called inside a region.
        BrokenGangError
            A task ended while others waited at the barrier.
        """
        n = checked_int(n, "n", 0, self.num_threads)
        self._require_open()
        pool = self._native
        if is_finalizing() and n != 1 and native_task(task) is None:
            raise UnsupportedError("the interpreter is ending, so that the tasks of a gang cannot "
                                   "run at the same time")
        run_region(lambda native, ctx: lib.tpi_pool_run_together(pool, n, native, ctx), n, task,
                   args, lambda: self)

    def park(self) -> None:
        """Let idle workers sleep now, rather than when their blocktime is over.

        For a while in which the CPUs are somebody else's; the next region wakes them. A pool that
        does not know how, does nothing.
        """
        lib.tpi_pool_park(self._native)

    def stats(self) -> PoolStats:
        """What the pool has done since it was made."""
        return read_stats(self._native)

    def capsule(self) -> Any:
        """The pool for another extension module: a PyCapsule named "threadpool_iface.tpi_pool".

        It holds one reference of the `tpi_pool *` inside, and keeps it as long as it lives.
        """
        from .capsules import capsule_of

        return capsule_of(self._native)

    def close(self) -> None:
        """Refuse new regions and wait for running ones. A second call waits for the first.

        A subclass that owns threads overrides it: `super().close()` first, then its own threads.

        Raises
        ------
        RuntimeError
            Called from one of the pool's own tasks, or from a region on it inside another one.
        """
        check(lib.tpi_pool_close(self._native))

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return bool(lib.tpi_pool_is_closed(self._native))

    @property
    def handle(self) -> int:
        """Address of the native `tpi_pool`, for native callers; valid while the pool exists."""
        return _address(self._native)

    @property
    def _native(self) -> Any:
        handle = self._handle
        return self._own(self._fill) if handle is None else handle

    def _fill(self, box: Any) -> None:
        """Put a reference of a new native handle into a `tpi_pool **`."""
        _fill_with_python_pool(box, self)

    def _own(self, fill: Callable[[Any], None]) -> Any:
        """Keep the reference that `fill(box)` puts into a box; of several the first one stays."""
        box = ffi.gc(ffi.new("tpi_pool **"), lib.tpi_box_drop)
        fill(box)
        if box[0] == ffi.NULL:
            raise MemoryError("no memory for a pool")
        handle = self.__dict__.setdefault("_box", box)[0]
        self.__dict__.setdefault("_number", next(_numbers))
        _by_handle[_address(handle)] = self
        self._handle = handle  # the last step: if this one is broken off, all are taken again
        return handle

    def _run_region(self, n: int, fn: Any) -> None:
        """`for i in range(n): fn(i, n)` as a region on this pool, whichever is active."""
        native, pool = known_native(fn), self._native
        if native is not None and type(n) is int and 0 < n <= MAX_TASKS:
            if code := lib.tpi_pool_parallel(pool, n, native, ffi.NULL):
                check(code, self)
            return
        n = checked_int(n, "n", 0, MAX_TASKS)
        self._require_open()
        if n:
            run_region(lambda task, ctx: lib.tpi_pool_parallel(pool, n, task, ctx), n, fn, (),
                       lambda: self)

    def _require_open(self) -> None:
        if self.closed:
            raise PoolClosedError(f"{self!r} is closed")

    def __reduce__(self) -> NoReturn:
        raise TypeError(f"{type(self).__name__} owns threads and cannot be copied or pickled")

    def __enter__(self) -> Self:
        """The pool itself; leaving the block closes it. Does not make it active."""
        self._require_open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        try:
            size = self.num_threads
            about = [f"{size} thread{'s' * (size != 1)}", *self._policy(), self._state()]
            return f"<{type(self).__name__}: {', '.join(about)}>"
        except Exception:  # a half-made subclass must still be printable in a traceback
            return f"<{type(self).__name__}: not initialised>"

    def _policy(self) -> list[str]:
        """How it works, for the repr."""
        return []

    def _state(self) -> str:
        if self.closed:
            return "closed"
        return "in use" if lib.tpi_pool_in_use(self._native) else "idle"


def _as_region(implementation: Callable[..., None]) -> Callable[..., None]:
    """`parallel_for` as users call it: a region, which comes back to the implementation.

    So a direct call keeps the contract as well: a closed pool refuses, the first failure wins,
    the active pool is null inside.
    """

    @wraps(implementation)
    def parallel_for(self: ThreadpoolIface, n: int, fn: Any) -> None:
        if isinstance(fn, _TaskOfRegion):
            implementation(self, n, fn)
        else:
            self._run_region(n, fn)

    return parallel_for


class _TaskOfRegion:
    """What a Python pool's `parallel_for` receives: calls the native task, without the GIL.

    The region lives on its caller's stack. A lease of the C core counts the calls: the region ends
    when none is running, and every later one is refused.
    """

    def __init__(self, lease: Any) -> None:
        self._box = ffi.gc(ffi.new("tpi_lease **"), lib.tpi_lease_drop)
        lib.tpi_lease_keep(lease, self._box)

    def __call__(self, i: int, n: int) -> None:
        i, n = checked_int(i, "i", 0), checked_int(n, "n", 1)
        if lib.tpi_lease_call(self._box[0], i, n):
            raise ThreadpoolError(f"task {i} of {n} was called after its region had ended")

    @property
    def _open(self) -> bool:
        return bool(lib.tpi_lease_is_open(self._box[0]))


# -- what the C core calls of a pool written in Python -----------------------------------------

_keys = count(1)
_numbers = count(1)
_by_key: WeakValueDictionary[int, ThreadpoolIface] = WeakValueDictionary()
_by_handle: WeakValueDictionary[int, ThreadpoolIface] = WeakValueDictionary()


def pool_of(handle: int) -> ThreadpoolIface | None:
    """The pool whose native handle is at this address, if it is one of Python's."""
    return _by_handle.get(handle)


def living_pools() -> list[tuple[ThreadpoolIface, int]]:
    """The pools that exist and are open, each with its size."""
    return [(pool, int(lib.tpi_pool_num_threads(pool._native)))
            for pool in list(_by_handle.values()) if not pool.closed]


def _address(handle: Any) -> int:
    return int(ffi.cast("uintptr_t", handle))


def _fill_with_python_pool(box: Any, pool: ThreadpoolIface) -> None:
    """A native handle whose regions call `pool`. It does not keep the pool alive."""
    name = type(pool).__name__
    size = checked_int(pool.num_threads, f"num_threads of {name}", 1, MAX_THREADS)
    flags = checked_int(pool.get_flags(), f"get_flags() of {name}", 0)
    key = next(_keys)
    _by_key[key] = pool
    lib.tpi_box_python(box, key, size, flags)


def _living(key: int) -> ThreadpoolIface:
    try:
        return _by_key[key]
    except KeyError:
        raise PoolClosedError("the pool no longer exists") from None


def _keep(kind: Any, error: BaseException, traceback: Any) -> None:
    keep_pending(error)


@ffi.def_extern(error=lib.TPI_E_PYTHON, onerror=_keep)  # type: ignore[untyped-decorator]
def tpi_python_parallel_for(key: int, n: int, lease: Any) -> int:
    pool = _living(key)
    pool.parallel_for(n, _TaskOfRegion(lease))
    if pool.get_flags() & ASYNCHRONOUS:
        pool.wait()
    return 0


@ffi.def_extern(onerror=_keep)  # type: ignore[untyped-decorator]
def tpi_python_wait(key: int) -> None:
    _living(key).wait()
