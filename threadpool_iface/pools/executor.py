"""ExecutorPool: a `concurrent.futures` executor of threads, behind the contract."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from contextlib import suppress
from itertools import count
from typing import TYPE_CHECKING, Any

from ..arguments import MAX_THREADS, checked_int
from ..iface import ThreadpoolIface

if TYPE_CHECKING:
    from concurrent.futures import Executor, Future


class ExecutorPool(ThreadpoolIface):
    """Regions on the threads of an executor that a program has anyway.

    Parameters
    ----------
    executor : concurrent.futures.Executor
        One that runs what is submitted in threads of this process. It stays the caller's: closing
        the pool does not shut it down.
    num_threads : int, optional
        Size, the caller included. By default one more than the executor's workers (its
        `max_workers`), since the caller takes part.

    The tasks of a region are claimed one by one, by the caller and by the workers that are free;
    a region never waits for a worker that has something else to do. Started from one of the
    executor's own workers it runs inline.

    Raises
    ------
    TypeError
        `executor` is not an Executor, or runs things in other processes or interpreters.
    ValueError
        `num_threads` is outside 1..4096, or has to be given because the executor does not tell.
    """

    def __init__(self, executor: Executor, num_threads: int | None = None) -> None:
        require_threads(executor)
        self._executor = executor
        self._workers = _Workers()
        self._size = _size(executor, num_threads)

    @property
    def num_threads(self) -> int:
        """Threads that can run tasks at once, the caller included."""
        return self._size

    def parallel_for(self, n: int, fn: Callable[[int, int], Any]) -> None:
        """`for i in range(n): fn(i, n)`; raises what failed, as `parallel` does."""
        claims = count()

        def run_claimed() -> None:
            while (i := next(claims)) < n:  # next() of a count is atomic
                fn(i, n)

        def help_out() -> None:
            self._workers.mark()
            run_claimed()

        process = os.getpid()
        inline = self._workers.has_this_thread(self._executor)
        helpers = 0 if inline else min(n, self._size) - 1
        futures = [self._executor.submit(help_out) for _ in range(helpers)]
        try:
            run_claimed()
        finally:
            if os.getpid() == process:  # in a child that a task forked, nothing works on the others
                _end(futures)

    def _policy(self) -> list[str]:
        return [type(self._executor).__name__]


def _end(futures: list[Future[None]]) -> None:
    """Helpers that have not started are not needed; those that have are waited for."""
    from concurrent.futures import CancelledError

    for future in futures:
        future.cancel()
    for future in futures:
        with suppress(CancelledError):
            future.result()


class _Workers:
    """Which threads are known to be the executor's."""

    def __init__(self) -> None:
        self._known = threading.local()

    def mark(self) -> None:
        self._known.mine = True

    def has_this_thread(self, executor: Executor) -> bool:
        threads = getattr(executor, "_threads", ())
        return hasattr(self._known, "mine") or threading.current_thread() in threads


def _size(executor: Executor, num_threads: int | None) -> int:
    if num_threads is not None:
        return checked_int(num_threads, "num_threads", 1, MAX_THREADS)
    workers = getattr(executor, "_max_workers", None)
    if not isinstance(workers, int):
        raise ValueError(f"num_threads must be given: {executor!r} does not tell how many workers "
                         "it has")
    return min(workers + 1, MAX_THREADS)


def require_threads(executor: Executor) -> None:
    """TypeError for what is no executor, or whose workers do not share this interpreter's objects.

    A lock cannot be pickled, so it cannot leave the interpreter.
    """
    # Here rather than above: it would double the time of importing this package.
    from concurrent.futures import Executor, ThreadPoolExecutor

    if not isinstance(executor, Executor):
        raise TypeError(f"executor must be a concurrent.futures.Executor, not {executor!r}")
    if type(executor) is ThreadPoolExecutor:
        return
    try:
        executor.submit(threading.Lock().locked).result()
    except Exception as error:
        raise TypeError("executor must run what is submitted in threads of this interpreter, which "
                        f"{type(executor).__name__} does not") from error
