"""Exceptions and warnings, and what the C core's codes mean."""

from __future__ import annotations

import errno
import os
import threading
from contextlib import suppress
from typing import NoReturn

from .native import lib


class ThreadpoolError(Exception):
    """Base of the library's own exceptions."""


class PoolClosedError(ThreadpoolError, RuntimeError):
    """A pool was used after it was closed."""


class TaskError(ThreadpoolError):
    """A native task returned a code other than 0.

    Attributes
    ----------
    code : int
        What the first failing task returned.
    """

    def __init__(self, code: int) -> None:
        super().__init__(f"a native task failed with code {code}")
        self.code = code

    def __reduce__(self) -> tuple[type[TaskError], tuple[int]]:
        return TaskError, (self.code,)


class UnsupportedError(ThreadpoolError, NotImplementedError):
    """This pool cannot do what was asked of it; nothing was started."""


class BrokenGangError(ThreadpoolError, threading.BrokenBarrierError):
    """A task waited at a barrier that another task of its gang can no longer come to."""


class OversubscriptionWarning(UserWarning):
    """A pool was asked for more threads than this process may use at once."""


class GilHeldWarning(UserWarning):
    """Streams that should run at the same time take turns, since their function holds the GIL."""


# The exception of a Python pool, or Ctrl-C, on its way through the C core to the caller's `check`.
# Regions inside regions never reach a pool, so the thread that raised it is the one that asks.
_pending = threading.local()


def keep_pending(error: BaseException) -> None:
    """Hold an exception that has to cross C code, for `check` in the same thread."""
    _pending.error = error


def take_pending() -> BaseException | None:
    """The exception held for this thread, which then is no longer held."""
    error: BaseException | None = getattr(_pending, "error", None)
    _pending.error = None
    return error


#: The most notes of ours that an exception gets. One that is raised for each of many regions, a
#: constant of a module say, would collect one from each. A guess: regions nest less deep.
_MOST_NOTES = 8
_NOTED = "raised in "


def note(error: BaseException, where: str) -> None:
    """Add "raised in `where`" to an exception, unless it says so already.

    Of those it has from earlier, the latest few are kept. An exception that takes no notes, because
    its class is unusual, goes without.
    """
    text = _NOTED + where
    try:
        notes = getattr(error, "__notes__", [])
        if text in notes:
            return
        ours = [each for each in notes if isinstance(each, str) and each.startswith(_NOTED)]
        if len(ours) >= _MOST_NOTES:
            notes.remove(ours[0])
    except Exception:
        return
    mention(error, text)


def mention(error: BaseException, text: str) -> None:
    """Add a note; an exception that takes none goes without."""
    with suppress(Exception):
        error.add_note(text)


def shown(value: object) -> str:
    """Its repr, or its type where that raises."""
    try:
        return repr(value)
    except Exception:
        return f"<{type(value).__name__} whose repr fails>"


def check(code: int, pool: object = None) -> None:
    """Raise the exception that a code of the C core stands for; nothing for 0.

    `pool` is the pool the message names, where it is known.
    """
    if code:
        _raise(code, "the pool" if pool is None else repr(pool))


def _raise(code: int, pool: str) -> NoReturn:
    if code > 0:
        raise TaskError(code)
    if code == lib.TPI_E_PYTHON:
        # Nothing is kept only where a second exception from outside came while the first was noted.
        raise take_pending() or KeyboardInterrupt("twice at once")
    if code == lib.TPI_E_CLOSED:
        raise PoolClosedError(f"{pool} is closed")
    if code == lib.TPI_E_NO_THREAD:
        raise OSError(errno.EAGAIN, f"{os.strerror(errno.EAGAIN)}: the system refused to start a "
                      f"worker thread; {pool} is unchanged")
    if code == lib.TPI_E_NO_MEMORY:
        raise MemoryError("no memory for a region")
    if code == lib.TPI_E_IN_REGION:
        raise RuntimeError("this is not allowed inside a parallel region")
    if code == lib.TPI_E_INCOMPLETE:
        raise ThreadpoolError(
            f"parallel_for of {pool} did not run every task exactly once before it returned"
        )
    if code == lib.TPI_E_FORKED:
        raise ThreadpoolError(
            "this process was forked inside a parallel region: the region's other tasks exist in "
            "the parent only"
        )
    if code == lib.TPI_E_UNSUPPORTED:
        raise UnsupportedError(
            f"{pool} cannot promise that so many tasks run at the same time; OmpLikePool and "
            "EigenLikePool can"
        )
    if code == lib.TPI_E_BROKEN:
        raise BrokenGangError(
            "a task of the gang failed, or ended without coming to the barrier that others wait at"
        )
    if code == lib.TPI_E_NOT_AFTER_FORK:
        raise ThreadpoolError(
            f"{pool} cannot be used in this process: its OpenMP runtime was used before the fork "
            "and does not survive one; use OmpLikePool, or start processes by spawn"
        )
    if code == lib.TPI_E_OWN_TASK:
        raise RuntimeError("a task cannot wait for the end of its own region: it would wait for "
                           "itself")
    if code == lib.TPI_E_BUSY:
        raise ThreadpoolError(
            f"the threads of {pool} did not get free in time; nothing was started"
        )
    raise ValueError(f"the C core refused an argument (code {code})")
