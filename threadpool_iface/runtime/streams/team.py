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

from ...errors import note
from ...native import guarded
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
        """May be called again after Ctrl-C, which may come after the lock was taken."""
        while not self._over:
            self._signal.acquire(timeout=1.0)


class _Part:
    """What one stream does of a batch; a driver runs it, once, unless it is cancelled before."""

    __slots__ = ("_claims", "_watched", "_work", "busy", "error", "late", "queued", "together")

    def __init__(self, work: Callable[[], None], together: _Together, watched: bool) -> None:
        self._work, self.together, self._watched = work, together, watched
        self._claims = count()  # its `next` is atomic: running and cancelling see one winner
        self.busy = self.queued = self.late = 0.0
        self.error: BaseException | None = None

    def run(self, refusal: BaseException | None) -> None:
        """Unless another part has failed already."""
        if next(self._claims):
            return
        try:
            if refusal is not None:
                raise refusal
            if not self.together.failed:
                self._timed()
        except BaseException as error:
            self.error = error
            self.together.failed.append(self)
        finally:
            self.together.one_ended()

    def _timed(self) -> None:
        queued, busy = _queued() if self._watched else 0.0, thread_time()
        self._work()
        self.busy = thread_time() - busy
        if self._watched:
            self.late, _queueing.before = queued - _queueing.before, _queued()
            self.queued = _queueing.before - queued

    def cancel(self) -> None:
        """It is not going to run, unless it has begun."""
        if not next(self._claims):
            self.together.one_ended()

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

    def _run(
        self, noted: list[_Part], works: Sequence[Callable[[], None]], *, watched: bool = False
    ) -> Times:
        """Have each stream do one of these, at the same time, and wait for all.

        Raises
        ------
        Exception
            What the first part that failed raised; a note says which it was.
        """
        together = _Together(len(works))
        parts = [_Part(work, together, watched) for work in works]
        noted += parts
        start = perf_counter()
        for driver, part in zip(self._drivers, parts, strict=True):
            driver.submit(part)
        together.wait()
        elapsed = perf_counter() - start
        if together.failed:
            _raise(together.failed[0], parts)
        return Times(elapsed, [part.busy for part in parts], [part.queued for part in parts],
                     [part.late for part in parts])

    def _give_up(self, noted: list[_Part]) -> None:
        """After a failure to hand parts out, or Ctrl-C: no part begins; those that have end."""
        for part in noted:
            part.cancel()
        if noted:
            noted[0].together.wait()

    run = guarded(_run, _give_up)

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
    note(part.error, f"stream {parts.index(part)} of {len(parts)}")
    raise part.error
