"""A number of streams that share the cores, and the parts of a batch that they run at once.

A stream is a `Task`: a thread bound to its cores, with a pool of its own active. Whoever runs parts
waits for the last of them, also if one fails or Ctrl-C comes meanwhile, since they write into
arrays that are the caller's.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, wait
from contextlib import suppress
from time import perf_counter, thread_time
from typing import NamedTuple

from ...iface import ThreadpoolIface
from ...topology.cpu_pool import CPUPool
from ..pools import Factory, made
from ..task import Task


class Times(NamedTuple):
    """Of one batch, in seconds."""

    #: From before the first part was handed out until the last one had ended.
    elapsed: float
    #: Each stream's, on the CPU, of its own thread.
    busy: list[float]
    #: Each stream's, ready and without a CPU; zeros where nobody asked or the kernel does not tell.
    queued: list[float]


class _Part:
    """What one stream does of a batch."""

    def __init__(self, work: Callable[[], None], watched: bool) -> None:
        self._work, self._watched = work, watched
        self.busy = self.queued = 0.0
        self.error: BaseException | None = None

    def run(self, failed: list[_Part]) -> None:
        """Unless another part has failed; if this one does, it joins the `failed`."""
        if failed:
            return
        queued, busy = _queued() if self._watched else 0.0, thread_time()
        try:
            self._work()
        except BaseException as error:
            self.error = error
            failed.append(self)
        self.busy = thread_time() - busy
        self.queued = _queued() - queued if self._watched else 0.0


def _queued() -> float:
    with suppress(OSError, ValueError, IndexError), open("/proc/thread-self/schedstat") as file:
        return int(file.read().split()[1]) / 1e9
    return 0.0


class _Stream:
    """What its Task calls; the name is that of its thread."""

    def __init__(self, name: str) -> None:
        self.__name__ = name

    def __call__(self, part: _Part, failed: list[_Part]) -> None:
        part.run(failed)


def _task(name: str, cores: CPUPool, pool: ThreadpoolIface) -> Task[[_Part, list[_Part]], None]:
    return Task(_Stream(name), cores, pool=lambda _: pool)


class Team:
    """Streams on even parts of the cores."""

    def __init__(self, name: str, cores: CPUPool, streams: int, factory: Factory) -> None:
        shares = cores.split(streams)
        self._pools = [made(factory, share) for share in shares]
        self._tasks = [
            _task(f"{name}, stream {number} of {streams}", share, own)
            for number, (share, own) in enumerate(zip(shares, self._pools, strict=True))]

    def run(self, works: Sequence[Callable[[], None]], *, watched: bool = False) -> Times:
        """Have each stream do one of these, at the same time, and wait for all.

        Raises
        ------
        Exception
            What the first part that failed raised; a note says which it was.
        """
        parts = [_Part(work, watched) for work in works]
        failed: list[_Part] = []
        start = perf_counter()
        _wait_for(self._started(parts, failed))
        elapsed = perf_counter() - start
        if failed:
            _raise(failed[0], parts)
        return Times(elapsed, [part.busy for part in parts], [part.queued for part in parts])

    def _started(self, parts: Sequence[_Part], failed: list[_Part]) -> list[Future[None]]:
        futures: list[Future[None]] = []
        try:
            for task, part in zip(self._tasks, parts, strict=True):
                futures.append(task(part, failed))
        except BaseException:  # closed meanwhile, or no thread to be had
            _wait_for(futures)
            raise
        return futures

    def park(self) -> None:
        """Let the pools' workers sleep, for another team on the same cores."""
        for pool in self._pools:
            pool.park()

    def close(self) -> None:
        """End the threads, after what they are doing."""
        for task in self._tasks:
            task.close()


def _wait_for(futures: Sequence[Future[None]]) -> None:
    """Until all have ended; raises what the streams themselves raise, their pools for example."""
    left, ended = list(futures), threading.Lock()
    if not futures:
        return
    ended.acquire()

    def one_less(_: Future[None]) -> None:
        left.pop()
        if not left:
            # Two that pop at once may both find it empty.
            with suppress(RuntimeError):
                ended.release()

    for future in futures:
        future.add_done_callback(one_less)
    try:
        ended.acquire()
    except BaseException:
        wait(futures)
        raise
    for future in futures:
        future.result()


def _raise(part: _Part, parts: Sequence[_Part]) -> None:
    assert part.error is not None
    part.error.add_note(f"raised in stream {parts.index(part)} of {len(parts)}")
    raise part.error
