"""Looks after the instances until the last one has ended.

One thread that sleeps until an instance writes, an instance ends or a signal comes. The first
signal is passed on, and a second one, or time running out, kills. Whatever happens here, no
instance outlives it.
"""

from __future__ import annotations

import os
import selectors
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from subprocess import Popen
from time import monotonic
from types import FrameType, TracebackType
from typing import Self

from .guard import Guard
from .output import Lines
from .process import FORWARDED, finish, has_ended, send


class Supervisor:
    """In a `with` block: `add` the instances as they start, then `wait`.

    Parameters
    ----------
    stop_on_error : bool
        Stop the others when one fails, which is told in any case.
    grace : float
        Seconds that instances have after they were told to stop.
    say : callable
        Tells the user a line.
    """

    def __init__(self, *, stop_on_error: bool, grace: float, say: Callable[[str], None]) -> None:
        self._stop_on_error, self._grace, self._say = stop_on_error, grace, say
        self._processes: list[Popen[bytes]] = []
        self._lines: dict[Popen[bytes], list[Lines]] = {}
        self._codes: dict[Popen[bytes], int] = {}
        self._selector = selectors.DefaultSelector()
        self._guard = Guard()
        self._deadline: float | None = None
        self._told_to_stop = False
        #: The signal that ended it all; 0: none did.
        self.signal = 0

    def __enter__(self) -> Self:
        # Who has it ignored loses the exit codes of children.
        self._sigchld = signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        self._guard.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 traceback: TracebackType | None) -> None:
        for process in self._processes:
            send(process, signal.SIGKILL)
        for process in self._processes:
            process.wait()
        self._guard.__exit__(kind, error, traceback)
        self._selector.close()
        signal.signal(signal.SIGCHLD, self._sigchld)

    def add(self, process: Popen[bytes], lines: Sequence[Lines]) -> None:
        """Look after an instance, and pass on its lines."""
        self._processes.append(process)
        self._guard.watch(process.pid)
        self._lines[process] = list(lines)
        for each in lines:
            self._selector.register(each.pipe, selectors.EVENT_READ, each)

    def wait(self) -> list[int]:
        """Until all have ended; their exit codes, in the order they were added."""
        with _awake_at_signals(self._on_signal) as woken:
            self._selector.register(woken, selectors.EVENT_READ)
            while self._running():
                self._pass_on_lines(woken)
                self._kill_when_time_is_over()
            self._selector.unregister(woken)
        return [self._codes[process] for process in self._processes]

    def _running(self) -> bool:
        for process in self._processes:
            if process not in self._codes and has_ended(process):
                self._end(process)
        return len(self._codes) < len(self._processes)

    def _pass_on_lines(self, woken: int) -> None:
        left = None if self._deadline is None else max(0.0, self._deadline - monotonic())
        for key, _ in self._selector.select(left):
            if key.fd == woken:
                os.read(woken, 1 << 12)
            elif not key.data.pump():
                self._selector.unregister(key.fileobj)

    def _kill_when_time_is_over(self) -> None:
        if self._deadline is not None and monotonic() >= self._deadline:
            self._send(signal.SIGKILL)
            self._deadline = None

    def _end(self, process: Popen[bytes]) -> None:
        code = self._codes[process] = finish(process)
        self._guard.forget(process.pid)
        for each in self._lines[process]:
            if each.pipe in self._selector.get_map():
                self._selector.unregister(each.pipe)
            each.drain()
        if code:
            self._say(f"[{self._processes.index(process)}] {_ending(code)}")
        if code and self._stop_on_error and not self._told_to_stop:
            self._say("stopping the others, as --stop-on-error asks")
            self._stop(signal.SIGTERM)

    def _stop(self, number: int) -> None:
        self._told_to_stop = True
        self._send(number)
        self._deadline = monotonic() + self._grace

    def _send(self, number: int) -> None:
        for process in self._processes:
            send(process, number)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self.signal:
            self._send(signal.SIGKILL)
        else:
            self.signal = number
            self._stop(number)


def _ending(code: int) -> str:
    if code > 0:
        return f"ended with exit code {code}"
    try:
        return f"was ended by {signal.Signals(-code).name}"
    except ValueError:
        return f"was ended by signal {-code}"


@contextmanager
def _awake_at_signals(handler: Callable[[int, FrameType | None], None]) -> Iterator[int]:
    """A descriptor that can be read when a signal has come or a child has ended.

    Signals that are ignored stay so, as `nohup` and background jobs of a shell have them.
    """
    reader, writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    before = {number: signal.signal(number, handler) for number in FORWARDED
              if signal.getsignal(number) is not signal.SIG_IGN}
    before[signal.SIGCHLD] = signal.signal(signal.SIGCHLD, lambda number, frame: None)
    descriptor = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    try:
        yield reader
    finally:
        signal.set_wakeup_fd(descriptor)
        for number, each in before.items():
            signal.signal(number, each)
        os.close(reader)
        os.close(writer)
