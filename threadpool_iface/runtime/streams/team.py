"""A number of streams that share the cores, and the parts of a batch that they run at once.

A stream is the driver thread of a `Task`: bound to its cores, with a pool of its own active. What
it is given is no future, though: whoever hands out parts waits for the last of them, also if one
fails or Ctrl-C comes meanwhile, since they write into arrays that are the caller's.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import count
from time import perf_counter, thread_time
from typing import NamedTuple

from ...topology.cpu_pool import CPUPool
from ..bound_driver import driver_on
from ..driver import Driver
from ..pools import Factory, made

#: Batches of other threads that may wait for a stream; further callers wait for room. A guess.
_WAITING = 256


class Times(NamedTuple):
    """Of one batch, in seconds."""

    #: From before the first part was handed out until the last one had ended.
    elapsed: float
    #: Each stream's, on the CPU, of its own thread.
    busy: list[float]
    #: Each stream's, ready and without a CPU; zeros where nobody asked or the kernel does not tell.
    queued: list[float]
    #: The same before it began.
    late: list[float]


class _Queueing(threading.local):
    """How long this thread had queued for a CPU when its last part ended."""

    before = 0.0


_queueing = _Queueing()


class _Together:
    """The parts of one batch: which of them failed first, and when the last has ended."""

    def __init__(self, parts: int) -> None:
        # Its `next` is atomic, so exactly one part finds that it was the last.
        self._ended, self._parts = count(1), parts
        self._over = False
        self._signal = threading.Lock()
        self._signal.acquire()
        self.failed: list[_Part] = []

    def one_ended(self) -> None:
        if next(self._ended) == self._parts:
            self._over = True
            self._signal.release()

    def wait(self) -> None:
        try:
            self._signal.acquire()
        except BaseException:  # Ctrl-C, maybe after the lock was taken
            while not self._over:
                self._signal.acquire(timeout=0.01)
            raise


class _Part:
    """What one stream does of a batch; a driver runs it."""

    __slots__ = ("_together", "_watched", "_work", "busy", "error", "late",
                 "queued")

    def __init__(self, work: Callable[[], None], together: _Together, watched: bool) -> None:
        self._work, self._together, self._watched = work, together, watched
        self.busy = self.queued = self.late = 0.0
        self.error: BaseException | None = None

    def run(self, refusal: BaseException | None) -> None:
        """Unless another part has failed already."""
        try:
            if refusal is not None:
                raise refusal
            if not self._together.failed:
                self._timed()
        except BaseException as error:
            self.error = error
            self._together.failed.append(self)
        finally:
            self._together.one_ended()

    def _timed(self) -> None:
        queued, busy = _queued() if self._watched else 0.0, thread_time()
        self._work()
        self.busy = thread_time() - busy
        if self._watched:
            self.late, _queueing.before = queued - _queueing.before, _queued()
            self.queued = _queueing.before - queued

    def cancel(self) -> None:
        """It is not going to run."""
        self._together.one_ended()

    def lose(self) -> None:
        """The thread that waits for it does not exist in a forked child either."""


def _queued() -> float:
    with suppress(OSError, ValueError, IndexError), open("/proc/thread-self/schedstat") as file:
        return int(file.read().split()[1]) / 1e9
    return 0.0


class Team:
    """Streams on even parts of the cores."""

    def __init__(self, name: str, cores: CPUPool, streams: int, factory: Factory) -> None:
        shares = cores.split(streams)
        self._pools = [made(factory, share) for share in shares]
        self._drivers = [
            driver_on(share, own, f"{name}, stream {number} of {streams}", _WAITING)
            for number, (share, own) in enumerate(zip(shares, self._pools, strict=True))]
        weakref.finalize(self, _stop, self._drivers).atexit = False

    def run(self, works: Sequence[Callable[[], None]], *, watched: bool = False) -> Times:
        """Have each stream do one of these, at the same time, and wait for all.

        Raises
        ------
        Exception
            What the first part that failed raised; a note says which it was.
        """
        together = _Together(len(works))
        parts = [_Part(work, together, watched) for work in works]
        start = perf_counter()
        try:
            self._hand_out(parts)
        finally:
            together.wait()
        elapsed = perf_counter() - start
        if together.failed:
            _raise(together.failed[0], parts)
        return Times(elapsed, [part.busy for part in parts], [part.queued for part in parts],
                     [part.late for part in parts])

    def _hand_out(self, parts: Sequence[_Part]) -> None:
        given = 0
        try:
            for driver, part in zip(self._drivers, parts, strict=True):
                driver.submit(part)
                given += 1
        finally:
            for part in parts[given:]:  # closed meanwhile, or there is no thread to be had
                part.cancel()

    def park(self) -> None:
        """Let the pools' workers sleep, for another team on the same cores."""
        for pool in self._pools:
            pool.park()

    def close(self) -> None:
        """End the threads, after what they are doing."""
        for driver in self._drivers:
            driver.close()


def _stop(drivers: Sequence[Driver]) -> None:
    for driver in drivers:
        driver.stop()


def _raise(part: _Part, parts: Sequence[_Part]) -> None:
    assert part.error is not None
    part.error.add_note(f"raised in stream {parts.index(part)} of {len(parts)}")
    raise part.error
