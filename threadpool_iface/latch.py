"""Latch: waits for an asynchronous region.

A latch is registered before the C core hears of it, with all that its tasks need, and stays so
until its region has ended. So neither Ctrl-C in between nor a caller that drops the latch takes
anything away from a running task. The register has no lock: a fork, the end of the interpreter or
the death of a thread would leave it held. Each change is one operation of a set, which the GIL
makes atomic.
"""

from __future__ import annotations

import os
import traceback
from typing import Any

from .errors import check
from .native import ffi, lib
from .region import Prepared


class Latch:
    """An asynchronous region that was started on a pool: wait for it, or ask whether it has ended.

    It keeps the pool alive, and what the tasks need. A failure that nobody waited for is reported
    through `sys.unraisablehook` when the latch is dropped.
    """

    def __init__(self, pool: Any, n: int, task: Any, args: tuple[Any, ...]) -> None:
        """Prepare the region; `start` starts it."""
        self._seen = False
        self._unseen: _Unseen | None = None
        self._pool, self._n = pool, n
        self._task = Prepared(task, args)
        #: Holds the C latch, once the region has been started.
        self._box = ffi.gc(ffi.new("tpi_latch **"), lib.tpi_latch_drop)

    def start(self) -> None:
        """Start the region.

        Raises
        ------
        PoolClosedError, OSError, MemoryError
            It was not started.
        """
        try:
            _register(self)
            check(lib.tpi_pool_submit(self._pool._native, self._n, self._task.native,
                                      self._task.ctx, self._box), self._pool)
        finally:
            if not self.started:
                _running.discard(self)

    @property
    def started(self) -> bool:
        """Whether its region was started."""
        return bool(self._box[0] != ffi.NULL)

    @property
    def ended(self) -> bool:
        """Whether all of its tasks have ended."""
        return self.started and bool(lib.tpi_latch_ended(self._box[0]))

    @property
    def settled(self) -> bool:
        """Whether all of its tasks have ended and no failure is left to be raised."""
        return self.ended and (self._seen or not lib.tpi_latch_wait(self._box[0]))

    def wait(self) -> None:
        """Until all tasks have ended, running those that have not started; raises what failed.

        The failure is raised once: a second call returns.

        Raises
        ------
        As `parallel`; RuntimeError inside one of its own tasks.
        """
        if not self.started:
            return
        code = lib.tpi_latch_wait(self._box[0])
        if code == lib.TPI_E_OWN_TASK:
            check(code)
        _running.discard(self)
        if code and not self._seen:
            self._seen = True
            if self._unseen is not None:
                self._unseen.over = True
            self._task.raise_for(code, lambda: self._pool)

    def watch_failure(self) -> None:
        """Of a region that has ended: report its failure if the latch is dropped with it unseen."""
        code = lib.tpi_latch_wait(self._box[0])
        if code and not self._seen and self._unseen is None:
            self._unseen = _Unseen(code, self._task, self._pool)

    def __repr__(self) -> str:
        state = "ended" if self.ended else "running" if self.started else "not started"
        return f"<Latch on {self._pool!r}: {state}>"


class _Unseen:
    """A failure that nobody has waited for, reported when it is dropped.

    Latches themselves have no `__del__`: Ctrl-C that comes in one is lost.
    """

    def __init__(self, code: int, task: Prepared, pool: Any) -> None:
        self._code, self._task, self._pool = code, task, pool
        self._process = os.getpid()
        self.over = False

    def __del__(self) -> None:
        # Python reports what is raised here through sys.unraisablehook. In a forked child the
        # failure is the parent's to report.
        if not self.over and self._process == os.getpid():
            self._task.raise_for(self._code, lambda: self._pool)


#: Latches whose tasks may still need them, although their maker may have dropped them.
_running: set[Latch] = set()
#: Added since the last look for those that have ended; threads that add at once may lose a count.
_added = 0


def _register(latch: Latch) -> None:
    global _added
    _running.add(latch)
    _added += 1
    if _added > len(_running):  # so often that a look costs each the same
        _added = 0
        for each in _running.copy():
            if each.ended:
                each.watch_failure()
                _running.discard(each)


def finish_all() -> None:
    """Wait for every asynchronous region of the process, at its end; failures are printed."""
    for latch in _running.copy():
        try:
            latch.wait()
        except BaseException:
            traceback.print_exc()


def _forget_parents() -> None:
    """In a forked child: no task of these runs here."""
    _running.clear()


os.register_at_fork(after_in_child=_forget_parents)
