"""EigenLikePool: work-stealing, as Eigen's thread pool does it."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from sys import is_finalizing
from typing import Any

from ..arguments import checked_int
from ..errors import mention, shown
from ..iface import ASYNCHRONOUS
from ..latch import Latch
from ..native import lib
from ..region import MAX_TASKS, native_task
from ..topology.cpu_pool import CPUPool
from .affinity import threads_and_cpus
from .native import WorkersPool, checked_num_threads, native_blocktime, why
from .sequential import SequentialPool


class EigenLikePool(WorkersPool):
    """A native work-stealing pool: uneven tasks, many callers at once, single tasks.

    Parameters
    ----------
    num_threads : int or CPUPool, optional
        Size, the caller included; or the CPUs to bind to, a thread for each. By default min(CPUs of
        the affinity mask, CPU quota rounded up).
    blocktime : float, optional
        Microseconds that an idle worker keeps looking for work before it sleeps; `math.inf`: never
        sleeps. 2000 by default.
    affinity : "compact", "scatter", CPUPool or sequence of int, optional
        As for `OmpLikePool`; no variable is consulted.
    asynchronous : bool
        The method `parallel_for` returns at once, and `wait()` waits. Everything that runs on the
        active pool (`parallel`, primitives) waits all the same.
    stats : bool
        Count more in `stats()` than regions and tasks.

    Workers start at the first region. The tasks of a region are claimed one by one by the caller
    and by every worker that has nothing better to do, so a caller never waits for a busy worker.

    Raises
    ------
    TypeError, ValueError
        An argument outside its domain.
    """

    def __init__(
        self, num_threads: int | CPUPool | None = None, *, blocktime: float | None = None,
        affinity: str | Iterable[int] | None = None, asynchronous: bool = False,
        stats: bool = False,
    ) -> None:
        if not isinstance(asynchronous, bool):
            raise TypeError(f"asynchronous must be a bool, not {asynchronous!r}")
        native_blocktime(blocktime)
        size_from = why(num_threads, affinity)
        num_threads, cpus = threads_and_cpus(num_threads, affinity)
        size = checked_num_threads(num_threads)
        super().__init__(
            lambda box, options: lib.tpi_box_work_stealing(box, options, asynchronous),
            size, blocktime, cpus, stats)
        self._asynchronous, self.size_from = asynchronous, size_from
        self._started = _Started()

    def get_flags(self) -> int:
        """ASYNCHRONOUS if the pool was made so, else 0."""
        return ASYNCHRONOUS if self._asynchronous else 0

    def schedule(self, task: Callable[..., Any], *args: Any) -> Latch:
        """Have a worker call `task(*args)` soon, and return at once.

        May be called from inside a task too: a worker takes up what it scheduled itself last in,
        first out. A pool of one thread has no worker and calls it here and now. When the
        interpreter ends, it waits for tasks that are still to run.

        Parameters
        ----------
        task : callable or native task
            A native task is called with a null context, ithr 0 and nthr 1.

        Returns
        -------
        Latch
            To wait for this task; `wait()` waits for all that this thread has started.

        Raises
        ------
        TypeError
            `task` cannot be called.
        PoolClosedError, OSError
            The pool is closed, or the system refused to start its workers.
        """
        if native_task(task) is None and callable(task):
            return self._start(1, lambda ithr, nthr, *rest: task(*rest), args)
        return self._start(1, task, args)

    def parallel_for(self, n: int, fn: Callable[[int, int], Any]) -> None:
        """`for i in range(n): fn(i, n)` on this pool, whichever is active.

        `fn` may be anything that `parallel` takes, and fails as it does there; on an asynchronous
        pool in `wait()`. n = 0 calls nothing.
        """
        if not self._asynchronous:
            self._run_region(n, fn)
        elif n := checked_int(n, "n", 0, MAX_TASKS):
            self._start(n, fn, ())

    def wait(self) -> None:
        """Until everything that this thread started on the pool without waiting has ended.

        Raises
        ------
        BaseException
            The first failure among them, in the order they were started, with a note for each of
            the others. Called from one of these tasks: RuntimeError, after the others have ended.
        """
        first: BaseException | None = None
        tried: set[Latch] = set()
        while fresh := [each for each in self._started.latches.copy() if each not in tried]:
            for latch in fresh:
                tried.add(latch)
                try:
                    latch.wait()
                except BaseException as error:
                    if first is None:
                        first = error
                    else:
                        mention(first, "something else that was started failed too: "
                                f"{shown(error)}")
                self._started.forget_if_ended(latch)
        if first is not None:
            raise first

    def _start(self, n: int, task: Any, args: tuple[Any, ...]) -> Latch:
        self._require_open()
        # While the interpreter is torn down its workers cannot run Python: the caller does.
        inline = is_finalizing() and native_task(task) is None
        latch = Latch(SequentialPool() if inline else self, n, task, args)
        self._started.add(latch)
        latch.start()
        return latch

    def _policy(self) -> list[str]:
        policy = ["work-stealing", *super()._policy()]
        return [*policy, "asynchronous"] if self._asynchronous else policy


class _Started(threading.local):
    """What each thread has started and not yet waited for."""

    def __init__(self) -> None:
        self.latches: deque[Latch] = deque()
        self._look_at = 64

    def add(self, latch: Latch) -> None:
        if len(self.latches) > self._look_at:  # who waits for each latch never calls `wait`
            self.latches = deque(each for each in self.latches if not each.settled)
            self._look_at = 2 * len(self.latches) + 64
        self.latches.append(latch)

    def forget_if_ended(self, latch: Latch) -> None:
        """Not if Ctrl-C came before it had been waited for, nor if it waits for itself."""
        if latch.ended or not latch.started:
            with suppress(ValueError):  # a task that ran here meanwhile may have waited as well
                self.latches.remove(latch)
