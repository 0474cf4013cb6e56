"""An executor whose calls run on chosen cores, with a pool on them active.

Its name tells Dask, which looks for these words in it, that calls run in threads of the process.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from queue import Empty, SimpleQueue
from typing import Any, ParamSpec, TypeVar

from ..topology.cpu_pool import CPUPool
from .pin import pin
from .pools import Factory

_P = ParamSpec("_P")
_R = TypeVar("_R")


class PinnedThreadPoolExecutor(Executor):
    """Runs calls on the threads of another executor, each inside a `pin` block.

    Parameters
    ----------
    threads : Executor
        Whose threads run the calls; it is shut down by its owner.
    cores : CPUPool
        Where calls run.
    parts : sequence of CPUPool
        Parts of `cores` for calls to have alone, as long as there are some free; a further call at
        the same time runs on all of `cores`. Empty: every call does.
    pool : "omp", "eigen" or callable
        The kind of the pool, as for `pin`.
    """

    def __init__(self, threads: Executor, cores: CPUPool, parts: Sequence[CPUPool],
                 pool: str | Factory = "omp") -> None:
        self.threads = threads
        self._on_all = pin(cores, pool)
        self._free: SimpleQueue[pin] = SimpleQueue()
        for part in parts:
            self._free.put(pin(part, pool))

    def submit(self, fn: Callable[_P, _R], /, *args: _P.args, **kwargs: _P.kwargs) -> Future[_R]:
        """The future of `fn(*args, **kwargs)`."""
        return self.threads.submit(self._run, fn, args, kwargs)

    def _run(self, fn: Callable[..., _R], args: Any, kwargs: Any) -> _R:
        with self._place() as block, block:
            return fn(*args, **kwargs)

    @contextmanager
    def _place(self) -> Iterator[pin]:
        try:
            block = self._free.get_nowait()
        except Empty:
            yield self._on_all
            return
        try:
            yield block
        finally:
            self._free.put(block)
