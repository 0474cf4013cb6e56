"""The guard: a small process that kills the instances' groups when the launcher is gone.

An instance dies with the launcher by itself, but its children do not. The guard waits at a pipe of
which the launcher has the only other end, so it notices every way of ending, SIGKILL included.
"""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from types import TracebackType
from typing import Self


class Guard:
    """In a `with` block; leaving it kills the groups that were watched and not forgotten."""

    def __enter__(self) -> Self:
        reader, self._writer = os.pipe()
        self._pid = os.fork()
        if self._pid == 0:
            try:
                os.close(self._writer)
                _guard(reader)
            finally:
                os._exit(0)
        os.close(reader)
        return self

    def watch(self, group: int) -> None:
        """Kill this process group in the end."""
        os.write(self._writer, b"+%d\n" % group)

    def forget(self, group: int) -> None:
        """It has ended: another group may get its number."""
        os.write(self._writer, b"-%d\n" % group)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 traceback: TracebackType | None) -> None:
        os.close(self._writer)
        os.waitpid(self._pid, 0)


def _guard(reader: int) -> None:
    os.setsid()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    # Who reads the launcher's output should not wait for this process too.
    null = os.open(os.devnull, os.O_RDWR)
    for stream in range(3):
        os.dup2(null, stream)
    groups: set[int] = set()
    with open(reader, "rb") as lines:
        for line in lines:
            (groups.add if line[:1] == b"+" else groups.discard)(int(line[1:]))
    for group in groups:
        with suppress(ProcessLookupError):
            os.killpg(group, signal.SIGKILL)
