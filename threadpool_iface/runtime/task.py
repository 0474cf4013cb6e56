"""Task: a callable that runs on cores of its own, beside the caller."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from concurrent.futures import Future
from types import TracebackType
from typing import Generic, ParamSpec, Self, TypeVar

from ..arguments import checked_int
from ..topology.cpu_pool import CPUPool
from .bound_driver import driver_on
from .driver import Call
from .pools import Factory, checked_cores, checked_factory, made
from .torch_modes import with_modes_of_caller

_P = ParamSpec("_P")
_R = TypeVar("_R")


class Task(Generic[_P, _R]):
    """Calls of a function, one at a time, by a thread that is bound to cores of its own.

    `task(*args, **kwargs)` returns a `concurrent.futures.Future` at once. The thread has a pool of
    its own active, whose workers are bound to the cores, so tasks on different cores do not disturb
    each other. It starts with the first call.

    Parameters
    ----------
    function : callable
        What is called.
    cpu_pool : CPUPool
        The cores.
    pool : "omp", "eigen" or callable
        The kind of the pool, as for `pin`; it is closed with the task.
    maxsize : int
        Calls that may wait, at least 1; a further one waits until there is room.

    Calling raises PoolClosedError after `close`, RuntimeError where the function itself calls its
    task while `maxsize` calls wait, and OSError if the system refuses to start the thread. Any
    number of threads may call at once.

    Where the function itself waits for the future of its own call, or of a later one, that is a
    RuntimeError: the wait would have no end.

    Each call runs in PyTorch's modes of its caller (`torch.no_grad()`, `torch.inference_mode()`,
    `torch.autocast("cpu")`), if the program has imported PyTorch 2.4 or later.

    Calls that wait when the task is dropped, or when the interpreter ends, still run. In a forked
    child the futures of calls from before the fork fail, and further calls work.

    Raises
    ------
    TypeError, ValueError
        An argument outside its domain.
    """

    def __init__(self, function: Callable[_P, _R], cpu_pool: CPUPool, *,
                 pool: str | Factory = "omp", maxsize: int = 256) -> None:
        if not callable(function):
            raise TypeError(f"function must be callable, not {function!r}")
        maxsize = checked_int(maxsize, "maxsize", 1)
        self._function = function
        self._cpu_pool = checked_cores(cpu_pool)
        own = made(checked_factory(pool), cpu_pool)
        name = f"Task({getattr(function, '__name__', type(function).__name__)})"
        self._driver = driver_on(cpu_pool, own, name, maxsize)
        weakref.finalize(self, self._driver.stop).atexit = False

    def __call__(self, *args: _P.args, **kwargs: _P.kwargs) -> Future[_R]:
        """The future of `function(*args, **kwargs)`."""
        call = Call(self._driver, with_modes_of_caller(self._function), args, kwargs)
        self._driver.submit(call)
        return call.future

    @property
    def cpu_pool(self) -> CPUPool:
        """The cores."""
        return self._cpu_pool

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._driver.closed

    def close(self, *, cancel_futures: bool = False) -> None:
        """Refuse further calls, and wait for those that were made, or cancel what has not started.

        Raises
        ------
        RuntimeError
            Called by the function itself, in the task's thread.
        """
        self._driver.close(cancel=cancel_futures)

    def __enter__(self) -> Self:
        """The task itself; leaving the block closes it."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        state = "closed" if self.closed else f"{self._driver.waiting} waiting"
        return f"<Task: {self._function!r} on {self._cpu_pool!r}, {state}>"
