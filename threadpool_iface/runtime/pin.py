"""pin: a block or a function runs on chosen cores."""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable
from functools import wraps
from types import TracebackType
from typing import NamedTuple, ParamSpec, TypeVar

from ..active import threadpool
from ..iface import ThreadpoolIface
from ..native import guarded
from ..topology.cpu_pool import CPUPool
from .binding import Bound, bind, binding_now, release
from .pools import Factory, checked_cores, checked_factory, pool_on

_P = ParamSpec("_P")
_R = TypeVar("_R")


class _Entered(NamedTuple):
    """A `pin` block, with what leaving it undoes."""

    pin: pin
    block: threadpool
    before: Bound


class _Blocks(threading.local):
    """The `pin` blocks that this thread is inside of."""

    def __init__(self) -> None:
        self.entered: list[_Entered] = []


_blocks = _Blocks()


class pin:  # noqa: N801 - used like a function
    """`with pin(cpu_pool):` runs a block on these cores; `@pin(cpu_pool)` a function.

    The calling thread is bound to the cores, and a pool whose workers are bound to them becomes
    active, one thread for each core. Leaving restores the thread's affinity mask and its pool, also
    after an error. Blocks nest, also on cores that the outer block left out; one `pin` may be used
    again, and by several threads at once. Pools are kept for the next `pin` on the same cores, and
    shared by threads that are on the same cores at the same time.

    What the program starts inside keeps to the cores: threads of its own, and pools that are made
    there. The workers of a pool made outside do not, even if they start inside. OpenMP runtimes
    that are loaded by then, PyTorch's and its MKL among them, give its regions a thread for each
    core.

    Parameters
    ----------
    cpu_pool : CPUPool
        The cores.
    pool : "omp", "eigen" or callable
        The kind: `OmpLikePool` or `EigenLikePool`; or what makes a pool from a CPUPool, called once
        for each set of cores.

    Raises
    ------
    TypeError, ValueError
        An argument outside its domain; a coroutine or generator function, whose calls return before
        its body has run.
    RuntimeError
        Entered inside a region; left in another thread, or before a block entered later.
    """

    def __init__(self, cpu_pool: CPUPool, pool: str | Factory = "omp") -> None:
        self._cpu_pool = checked_cores(cpu_pool)
        self._factory = checked_factory(pool)

    def _restore(self, noted: list[_Entered]) -> None:
        """Leave the block that is noted, or this one, unless it was left; may be called again."""
        entered = _blocks.entered
        if not noted and entered and entered[-1].pin is self:
            noted.append(entered[-1])
        if noted and entered and entered[-1] is noted[0]:
            release(noted[0].before)
            if noted[0].block.entered:
                noted[0].block.__exit__(None, None, None)
            entered.pop()

    def _undo(self, noted: list[_Entered]) -> None:
        """Leave the block if this entry got that far; may be called again."""
        if noted:
            self._restore(noted)

    def _enter(self, noted: list[_Entered]) -> ThreadpoolIface:
        """The pool."""
        pool = pool_on(self._cpu_pool, self._factory)
        entry = _Entered(self, threadpool(pool), binding_now())
        noted.append(entry)
        _blocks.entered.append(entry)
        entry.block.__enter__()
        bind(self._cpu_pool, entry.before)
        return pool

    def _leave(
        self, noted: list[_Entered], kind: type[BaseException] | None,
        error: BaseException | None, traceback: TracebackType | None,
    ) -> None:
        """The thread's mask and its pool are again what they were."""
        if not _blocks.entered or _blocks.entered[-1].pin is not self:
            raise RuntimeError(
                f"{self!r} is left out of order or in another thread: blocks must be left by the "
                "thread that entered them, the last one first"
            )
        noted.append(_blocks.entered[-1])
        self._restore(noted)

    __enter__ = guarded(_enter, _undo)
    __exit__ = guarded(_leave, _restore)

    def __call__(self, function: Callable[_P, _R]) -> Callable[_P, _R]:
        if inspect.iscoroutinefunction(function) or inspect.isgeneratorfunction(function):
            raise TypeError(f"pin cannot hold for {function!r}: its body runs after the call")

        @wraps(function)
        def pinned(*args: _P.args, **kwargs: _P.kwargs) -> _R:
            with self:
                return function(*args, **kwargs)

        return pinned

    def __repr__(self) -> str:
        return f"pin({self._cpu_pool!r})"
