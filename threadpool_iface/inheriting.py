"""The active pool in threads that a caller starts: it follows when asked, never by itself."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor, Future
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from .active import chosen, in_parallel, threadpool
from .pools.executor import require_threads

_P = ParamSpec("_P")
_R = TypeVar("_R")


def inherit(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """`function`, to be called by any thread with the pool that the caller of `inherit` has now.

    Whatever the calling thread had is active again afterwards. A thread that has not chosen a pool
    passes that on too: the default pool, if any, as it is when `function` runs. Called inside a
    region, `function` runs as everything does there.

        threading.Thread(target=inherit(work)).start()
        joblib.Parallel(2, backend="threading")(joblib.delayed(inherit(work))(i) for i in range(9))

    Raises
    ------
    TypeError
        `function` cannot be called.
    PoolClosedError
        When it is called: the pool has been closed in the meantime.
    """
    if not callable(function):
        raise TypeError(f"function must be callable, not {function!r}")
    choice = chosen()

    @wraps(function)
    def inheriting(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        if in_parallel():
            return function(*args, **kwargs)
        with threadpool(choice):
            return function(*args, **kwargs)

    return inheriting


class InheritingExecutor(Executor):
    """An executor whose calls run with the pool that was active where they were submitted.

    Parameters
    ----------
    executor : concurrent.futures.Executor
        Of threads. It is shut down with this one.

    Raises
    ------
    TypeError
        `executor` is something else, or runs its calls in other processes or interpreters, where
        there are no pools of this one.
    """

    def __init__(self, executor: Executor) -> None:
        require_threads(executor)
        self._executor = executor

    def submit(
        self, fn: Callable[_P, _R], /, *args: _P.args, **kwargs: _P.kwargs
    ) -> Future[_R]:
        """As the executor's, with the calling thread's pool."""
        return self._executor.submit(inherit(fn), *args, **kwargs)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """The executor's."""
        self._executor.shutdown(wait, cancel_futures=cancel_futures)


async def to_thread(function: Callable[_P, _R], /, *args: _P.args, **kwargs: _P.kwargs) -> _R:
    """`asyncio.to_thread` with the pool of the thread that runs the event loop."""
    from asyncio import to_thread as start

    result: Any = await start(inherit(function), *args, **kwargs)
    return result  # type: ignore[no-any-return]
