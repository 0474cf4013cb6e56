"""Latch: waits for an asynchronous region."""

from __future__ import annotations

import threading
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
        self._seen = False
        self._pool = pool
        self._task = Prepared(task, args)
        result = ffi.new("tpi_latch **")
        check(lib.tpi_pool_submit(pool._native, n, self._task.native, self._task.ctx, result), pool)
        self._native = ffi.gc(result[0], lib.tpi_latch_release)
        _running.add(self)

    @property
    def ended(self) -> bool:
        """Whether all of its tasks have ended."""
        return bool(lib.tpi_latch_ended(self._native))

    def wait(self) -> None:
        """Until all tasks have ended, running those that have not started; raises what failed.

        The failure is raised once: a second call returns.

        Raises
        ------
        As `parallel`.
        """
        code = lib.tpi_latch_wait(self._native)
        _running.discard(self)
        if code and not self._seen:
            self._seen = True
            self._task.raise_for(code, lambda: self._pool)

    def __repr__(self) -> str:
        return f"<Latch on {self._pool!r}: {'ended' if self.ended else 'running'}>"

    def __del__(self) -> None:
        # Python reports what is raised here through sys.unraisablehook.
        if not self._seen and hasattr(self, "_native") and self.ended:
            self.wait()


class _Running:
    """Latches whose tasks may still need them, although their maker may have dropped them."""

    def __init__(self) -> None:
        self._lock = threading.RLock()  # a collection inside may run a latch's __del__
        self._latches: set[Latch] = set()
        self._added = 0

    def add(self, latch: Latch) -> None:
        ended: list[Latch] = []
        with self._lock:
            self._latches.add(latch)
            self._added += 1
            if self._added > len(self._latches):  # so often that a look costs each the same
                ended = [each for each in self._latches if each.ended]
                self._latches.difference_update(ended)
                self._added = 0
        ended.clear()  # outside the lock: dropping one may run its __del__

    def discard(self, latch: Latch) -> None:
        with self._lock:
            self._latches.discard(latch)

    def all(self) -> list[Latch]:
        with self._lock:
            return list(self._latches)


_running = _Running()


def finish_all() -> None:
    """Wait for every asynchronous region of the process, at its end; failures are printed."""
    for latch in _running.all():
        try:
            latch.wait()
        except BaseException:
            traceback.print_exc()
