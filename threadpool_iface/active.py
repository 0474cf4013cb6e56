"""The calling thread's pool: set it, look at it, put it back.

A thread is *unset* (the default pool if there is one, else sequential), *sequential*
(`set_threadpool(None)`) or has a pool. Inside a region the pointer is null and cannot be changed.
The C core holds the truth; this module keeps the Python objects that belong to it.
"""

from __future__ import annotations

import threading
from contextlib import suppress
from types import TracebackType
from typing import Any, Final, NamedTuple
from weakref import WeakSet

from . import settings
from .errors import check
from .iface import ThreadpoolIface, pool_of
from .native import ffi, guarded, lib

VARIABLE = "THREADPOOL_IFACE_POOL"


class _Unset:
    def __repr__(self) -> str:
        return "UNSET"


#: Stands for "this thread has not chosen": restore it with `set_threadpool(UNSET)`.
UNSET: Final = _Unset()

_Choice = ThreadpoolIface | _Unset | None


class ThreadChoice:
    """What a thread chose, for others to look at; it goes with the thread."""

    __slots__ = ("__weakref__", "ident", "next", "pool")

    def __init__(self) -> None:
        self.ident = threading.get_ident()
        self.pool: _Choice = UNSET
        #: The choice that is being made, or was when Ctrl-C came: the C core may have it already.
        self.next: _Choice = UNSET


#: Of every thread that ever chose.
choices: WeakSet[ThreadChoice] = WeakSet()


class _Entered(NamedTuple):
    """A `threadpool` block, and what was active when it was entered."""

    block: threadpool
    before: _Choice


class _ThreadState(threading.local):
    """The object behind the C pointer, and the `threadpool` blocks this thread is inside of."""

    def __init__(self) -> None:
        self.chosen = ThreadChoice()
        choices.add(self.chosen)
        self.blocks: list[_Entered] = []


_thread = _ThreadState()


class _Default:
    """A pool that the C core has as the default, or is being given."""

    __slots__ = ("given", "pool")

    def __init__(self, pool: ThreadpoolIface | None) -> None:
        self.pool, self.given = pool, False

    @property
    def is_current(self) -> bool:
        pointer = lib.tpi_default_pool()
        return bool(pointer == (ffi.NULL if self.pool is None else self.pool._native))


#: The default pool, and those that were or will be it if threads set one at the same time.
_defaults: list[_Default] = []


def _checked(pool: _Choice, name: str) -> _Choice:
    if isinstance(pool, ThreadpoolIface):
        pool._require_open()
    elif pool is not None and not isinstance(pool, _Unset):
        raise TypeError(f"{name} must be a ThreadpoolIface or None, not {pool!r}")
    return pool


def _activate(pool: _Choice) -> None:
    """Ctrl-C in between: whichever of the two pools the C core then has, its object is held."""
    chosen = _thread.chosen
    chosen.next = pool
    if isinstance(pool, ThreadpoolIface):
        check(lib.tpi_set_active(lib.TPI_POOL, pool._native))
    else:
        state = lib.TPI_SEQUENTIAL if pool is None else lib.TPI_UNSET
        check(lib.tpi_set_active(state, ffi.NULL))
    chosen.pool = pool
    chosen.next = UNSET


def set_threadpool(pool: ThreadpoolIface | _Unset | None) -> None:
    """Make `pool` the calling thread's active pool, until changed.

    `None` is sequential, whatever the default; `UNSET` goes back to the default pool. The thread
    keeps the pool alive while it is active; nothing is closed.

    Raises
    ------
    TypeError
        `pool` is none of these.
    PoolClosedError
        The pool is closed.
    RuntimeError
        Called inside a region.
    """
    _activate(_checked(pool, "pool"))


def get_threadpool() -> ThreadpoolIface | None:
    """The pool a region started now would run on; None if it would run on the calling thread."""
    pointer = lib.tpi_active_pool()
    if pointer == ffi.NULL:
        return None
    for known in (_thread.chosen.pool, _thread.chosen.next, get_default_threadpool()):
        if isinstance(known, ThreadpoolIface) and known._native == pointer:
            return known
    return _made_active_in_c(pointer)


def _made_active_in_c(pointer: Any) -> ThreadpoolIface:
    from .pools import ForeignPool

    address = int(ffi.cast("uintptr_t", pointer))
    known = pool_of(address)
    return ForeignPool.sharing(address) if known is None else known


def chosen() -> _Choice:
    """What this thread chose, asked of the C core, where native code may have chosen."""
    state = lib.tpi_active_state()
    if state == lib.TPI_UNSET:
        return UNSET
    return None if state == lib.TPI_SEQUENTIAL else get_threadpool()


class threadpool:  # noqa: N801 - used like a function
    """`with threadpool(pool):` makes `pool` active for a block and restores what was before.

    It never closes the pool. Blocks nest; the same object may be entered again.

    Raises
    ------
    TypeError, PoolClosedError
        As `set_threadpool`, at once.
    RuntimeError
        Entered inside a region; left in another thread, or before a block entered later.
    """

    def __init__(self, pool: _Choice) -> None:
        self._pool = _checked(pool, "pool")

    def _restore(self, noted: list[_Entered]) -> None:
        """Leave the block that is noted, or this one, unless it was left; may be called again."""
        blocks = _thread.blocks
        if not noted and blocks and blocks[-1].block is self:
            noted.append(blocks[-1])
        if noted and blocks and blocks[-1] is noted[0]:
            _activate(noted[0].before)
            blocks.pop()

    def _undo(self, noted: list[_Entered]) -> None:
        """Leave the block if this entry got that far; may be called again."""
        if noted:
            self._restore(noted)

    def _enter(self, noted: list[_Entered]) -> ThreadpoolIface | None:
        """The pool, now active."""
        pool = _checked(self._pool, "pool")
        if in_parallel():
            check(lib.TPI_E_IN_REGION)  # before anything is noted
        entered = _Entered(self, chosen())
        noted.append(entered)
        _thread.blocks.append(entered)
        _activate(pool)
        return None if isinstance(pool, _Unset) else pool

    def _leave(
        self, noted: list[_Entered], kind: type[BaseException] | None,
        error: BaseException | None, traceback: TracebackType | None,
    ) -> None:
        """What was active before is active again."""
        if not _thread.blocks or _thread.blocks[-1].block is not self:
            raise RuntimeError(
                f"threadpool({self._pool!r}) is left out of order or in another thread: blocks "
                "must be left by the thread that entered them, the last one first"
            )
        noted.append(_thread.blocks[-1])
        _activate(noted[0].before)
        _thread.blocks.pop()

    @property
    def entered(self) -> bool:
        """Whether it is the innermost block of the calling thread."""
        return bool(_thread.blocks) and _thread.blocks[-1].block is self

    __enter__ = guarded(_enter, _undo)
    __exit__ = guarded(_leave, _restore)


def set_default_threadpool(pool: ThreadpoolIface | None) -> None:
    """The pool of every thread that never chose one; None: they are sequential.

    Raises
    ------
    TypeError
        `pool` is neither.
    PoolClosedError
        The pool is closed.
    """
    if isinstance(pool, _Unset):
        raise TypeError("pool must be a ThreadpoolIface or None, not UNSET")
    _checked(pool, "pool")
    new = _Default(pool)
    try:
        _defaults.append(new)  # held first: Ctrl-C may come when the C core has it
        lib.tpi_set_default(ffi.NULL if pool is None else pool._native)
    finally:
        new.given = True
    for each in _defaults.copy():
        if each.given and not each.is_current:
            with suppress(ValueError):  # another thread has done it
                _defaults.remove(each)


def get_default_threadpool() -> ThreadpoolIface | None:
    """The pool of threads that never chose one."""
    for each in _defaults.copy():  # no generator: Ctrl-C that comes as one is closed is lost
        if each.is_current:
            return each.pool
    return None


def get_max_threads() -> int:
    """Size of the pool a region started now would run on; without one, the machine's default.

    The machine's default is min(CPUs of the affinity mask, cgroup quota rounded up).
    """
    return int(lib.tpi_max_threads())


def within_limit(num_threads: int) -> int:
    """`num_threads`, or what threadpoolctl limits this process to if that is less."""
    return min(num_threads, int(lib.tpi_thread_limit()) or num_threads)


def in_parallel() -> bool:
    """Whether the calling thread is inside a region, a sequential one included."""
    return bool(lib.tpi_in_parallel())


def default_from_environment() -> None:
    """Make the default pool that the environment names; its threads start when used.

    THREADPOOL_IFACE_POOL decides; without it ITEX_OMP_THREADPOOL.

    Raises
    ------
    ValueError
        A variable has a value outside its domain.
    """
    name = settings.variable(VARIABLE) or settings.itex_pool()
    if not name:
        return
    from . import pools

    kinds = {
        "omp": pools.OmpLikePool, "eigen": pools.EigenLikePool, "sequential": pools.SequentialPool
    }
    if name not in kinds:
        raise ValueError(f"{VARIABLE} must be omp, eigen or sequential, not {name!r}")
    set_default_threadpool(kinds[name]())
