"""Running a program, and collecting its verbose lines beside its own output.

The lines come through a pipe that the program opens by its name in /proc, as can its children. They
are summed while it runs, so it may run for as long as it likes.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from subprocess import Popen
from time import perf_counter
from types import FrameType

from ..launcher.process import FORWARDED, dying_with_parent
from ..verbose import FILE_VARIABLE, VARIABLE
from .lines import Sums

_END = b"end\n"


@dataclass(frozen=True, slots=True)
class Profile:
    """What was found."""

    #: The program's exit code, negative for a signal.
    code: int
    seconds: float
    sums: Sums


def profiled(command: Sequence[str], *, by_shape: bool = False) -> Profile:
    """Run a command to its end. Ctrl-C reaches the program, whose lines are summed all the same.

    Raises
    ------
    OSError
        The command cannot be run.
    """
    sums = Sums(by_shape=by_shape)
    with _pipe() as (reader, writer), _blocked_signals() as mask:
        environment = {**os.environ, VARIABLE: "1",
                       FILE_VARIABLE: f"/proc/{os.getpid()}/fd/{writer}"}
        started = perf_counter()
        # Before there is a thread, since a child that was forked beside one should not run Python.
        process = _started(command, environment, mask)
        with _summing(reader, writer, sums), _passing_signals_on(process):
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
            code = process.wait()
            seconds = perf_counter() - started
    return Profile(code, seconds, sums)


@contextmanager
def _pipe() -> Iterator[tuple[int, int]]:
    reader, writer = os.pipe()
    try:
        yield reader, writer
    finally:
        os.close(reader)
        os.close(writer)


@contextmanager
def _blocked_signals() -> Iterator[set[int]]:
    """Those that are to be passed on wait until they can be; with the mask from before."""
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, FORWARDED)
    try:
        yield mask
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def _started(command: Sequence[str], environment: dict[str, str], mask: set[int]) -> Popen[bytes]:
    die_with_us = dying_with_parent()

    def set_up() -> None:
        die_with_us()
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)

    return Popen(command, env=environment, preexec_fn=set_up)


@contextmanager
def _summing(reader: int, writer: int, sums: Sums) -> Iterator[None]:
    """Lines from the pipe are summed until the block is left."""
    thread = threading.Thread(target=_sum_lines, args=(reader, sums))
    thread.start()
    try:
        yield
    finally:
        os.write(writer, _END)
        thread.join()


def _sum_lines(reader: int, sums: Sums) -> None:
    with open(reader, "rb", closefd=False) as lines:
        for line in lines:
            if line == _END:
                return
            sums.add(line.decode(errors="replace"))


@contextmanager
def _passing_signals_on(process: Popen[bytes]) -> Iterator[None]:
    """All but Ctrl-C, which the terminal sends to the program itself."""
    def pass_on(number: int, frame: FrameType | None) -> None:
        process.send_signal(number)

    before = {number: signal.signal(number, signal.SIG_IGN if number == signal.SIGINT else pass_on)
              for number in FORWARDED}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
