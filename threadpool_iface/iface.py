"""ThreadpoolIface, the contract of a pool. Its docstring is the guide for writing one."""

from __future__ import annotations

import threading
import weakref
from abc import ABC, abstractmethod
from collections.abc import Callable
from types import TracebackType
from typing import Any, ClassVar, Self

from .arguments import MAX_THREADS, checked_int
from .errors import PoolClosedError, ThreadpoolError, check, keep_pending
from .native import ffi, lib

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
    raises in the caller after `parallel_for` returned); two regions never share an `fn`.

    What is relied on: every `fn(i, n)` is called exactly once, from any threads, in any order;
    `parallel_for` returns when all of them have returned (or, if `get_flags()` has `ASYNCHRONOUS`,
    `wait()` does); several threads may call `parallel_for` at once; the calling thread may run
    tasks itself, and tasks need not overlap. A region started from inside a task never reaches the
    pool: it runs inline. Calling a task twice or never is reported as ThreadpoolError, an exception
    that leaves `parallel_for` reaches the caller, and a task called after its region has ended
    raises instead of running.

    `threadpool_iface.testing.check_pool` tests all this.
    """

    #: What the native side is made of; created on first use, so `__init__` need not be chained.
    _handle: Any = None
    _handle_lock: ClassVar[threading.Lock] = threading.Lock()

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

    def wait(self) -> None:
        """Until every region this thread started has ended. Nothing to do unless asynchronous."""

    def close(self) -> None:
        """Refuse new regions and wait for running ones. Idempotent.

        A subclass that owns threads overrides it: `super().close()` first, then its own threads.

        Raises
        ------
        RuntimeError
            Called from one of the pool's own tasks.
        """
        check(lib.tpi_pool_close(self._native))

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return bool(lib.tpi_pool_is_closed(self._native))

    @property
    def handle(self) -> int:
        """Address of the native `tpi_pool`, for native callers; valid while the pool exists."""
        return int(ffi.cast("uintptr_t", self._native))

    @property
    def _native(self) -> Any:
        handle = self._handle
        if handle is None:
            with self._handle_lock:
                if self._handle is None:
                    self._handle = ffi.gc(self._new_handle(), lib.tpi_pool_release)
                handle = self._handle
        return handle

    def _new_handle(self) -> Any:
        return _foreign_handle(self)

    def _require_open(self) -> None:
        if self.closed:
            raise PoolClosedError(f"{self!r} is closed")

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
            state = "closed, " if self.closed else ""
            size = self.num_threads
            return f"<{type(self).__name__}: {state}{size} thread{'s' * (size != 1)}>"
        except Exception:  # a half-made subclass must still be printable in a traceback
            return f"<{type(self).__name__}: not initialised>"


class _TaskOfRegion:
    """What a Python pool's `parallel_for` receives: calls the native task, without the GIL.

    The region lives on the caller's stack, so calls are counted: `finish` returns only when none
    is running, and every later one is refused.
    """

    def __init__(self, task: Any, ctx: Any) -> None:
        self._task, self._ctx = task, ctx
        self._running = 0
        self._open = True
        self._changed = threading.Condition(threading.Lock())

    def __call__(self, i: int, n: int) -> None:
        i, n = checked_int(i, "i", 0), checked_int(n, "n", 1)
        with self._changed:
            if not self._open:
                raise ThreadpoolError(f"task {i} of {n} was called after its region had ended")
            self._running += 1
        try:
            self._task(self._ctx, i, n)
        finally:
            with self._changed:
                self._running -= 1
                self._changed.notify_all()

    def finish(self) -> None:
        with self._changed:
            self._open = False
            while self._running:
                self._changed.wait()


# -- the table of functions of a pool written in Python ----------------------------------------

# Handles that C may still pass back, by address; `destroy` drops them.
_alive: dict[int, Any] = {}
# Regions of asynchronous pools that `wait` has yet to end, by thread.
_unfinished = threading.local()


def _foreign_handle(pool: ThreadpoolIface) -> Any:
    """A native handle whose functions call `pool`. It does not keep the pool alive."""
    data = ffi.new_handle(weakref.ref(pool))
    made = lib.tpi_pool_new(_ops, data)
    if made == ffi.NULL:
        raise MemoryError("no memory for a pool")
    _alive[int(ffi.cast("uintptr_t", data))] = data
    return made


def _pool(data: Any) -> ThreadpoolIface:
    pool = ffi.from_handle(data)()
    if pool is None:
        raise PoolClosedError("the pool no longer exists")
    return pool  # type: ignore[no-any-return]


@ffi.def_extern(error=1)  # type: ignore[untyped-decorator]
def tpi_python_num_threads(data: Any) -> int:
    pool = _pool(data)
    return checked_int(pool.num_threads, f"num_threads of {type(pool).__name__}", 1, MAX_THREADS)


@ffi.def_extern(error=0)  # type: ignore[untyped-decorator]
def tpi_python_in_parallel(data: Any) -> int:
    return 0  # the C core knows which pool's task a thread is in


@ffi.def_extern(error=0)  # type: ignore[untyped-decorator]
def tpi_python_flags(data: Any) -> int:
    return int(_pool(data).get_flags())


@ffi.def_extern(error=lib.TPI_E_PYTHON)  # type: ignore[untyped-decorator]
def tpi_python_parallel_for(data: Any, n: int, task: Any, ctx: Any) -> int:
    fn = _TaskOfRegion(task, ctx)
    try:
        pool = _pool(data)
        pool.parallel_for(n, fn)
        if pool.get_flags() & ASYNCHRONOUS:
            _unfinished.fn = fn
            return 0
    except BaseException as error:  # it must cross C to reach the caller, KeyboardInterrupt too
        keep_pending(error)
        fn.finish()
        return int(lib.TPI_E_PYTHON)
    fn.finish()
    return 0


@ffi.def_extern()  # type: ignore[untyped-decorator]
def tpi_python_wait(data: Any) -> None:
    try:
        _pool(data).wait()
    finally:
        fn = getattr(_unfinished, "fn", None)
        _unfinished.fn = None
        if fn is not None:
            fn.finish()


@ffi.def_extern()  # type: ignore[untyped-decorator]
def tpi_python_close(data: Any) -> None:
    pass  # `close` of the subclass ends its own threads


@ffi.def_extern()  # type: ignore[untyped-decorator]
def tpi_python_destroy(data: Any) -> None:
    _alive.pop(int(ffi.cast("uintptr_t", data)), None)


_ops = ffi.new(
    "tpi_pool_ops *",
    {
        "abi_version": lib.TPI_ABI_VERSION,
        "struct_size": ffi.sizeof("tpi_pool_ops"),
        "num_threads": lib.tpi_python_num_threads,
        "in_parallel": lib.tpi_python_in_parallel,
        "parallel_for": lib.tpi_python_parallel_for,
        "flags": lib.tpi_python_flags,
        "wait": lib.tpi_python_wait,
        "close": lib.tpi_python_close,
        "destroy": lib.tpi_python_destroy,
    },
)
