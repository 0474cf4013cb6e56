"""The output of instances: whole lines, each with the instance's number before it."""

from __future__ import annotations

import os
import select
from typing import IO, BinaryIO

_CHUNK = 1 << 16
#: The most that an ordinary user's pipe can be set to hold.
_PIPE = 1 << 20
#: A longer line is broken, so that a program that never ends one costs no memory; a guess.
_LONGEST = 1 << 20


class Lines:
    """Passes on what comes from a pipe, to a stream with a prefix and to a log without.

    Reading never waits: a child of the instance may hold the pipe open for as long as it likes.
    """

    def __init__(self, pipe: IO[bytes], prefix: bytes, stream: BinaryIO,
                 log: BinaryIO | None) -> None:
        os.set_blocking(pipe.fileno(), False)
        self.pipe = pipe
        self._prefix, self._stream, self._log = prefix, stream, log
        self._begun = b""

    def pump(self) -> bool:
        """Pass on the lines that are there, at most a chunk of them; False: it was the last."""
        try:
            read = os.read(self.pipe.fileno(), _CHUNK)
        except BlockingIOError:
            return True
        *lines, self._begun = (self._begun + read).split(b"\n")
        if self._begun and (not read or len(self._begun) > _LONGEST):
            lines.append(self._begun)
            self._begun = b""
        self._write(lines)
        return bool(read)

    def drain(self) -> None:
        """Pass on what is there, then close the pipe; at most what a pipe can hold.

        A daemon that the instance has started may write for ever.
        """
        for _ in range(_PIPE // _CHUNK):
            if not (_is_readable(self.pipe) and self.pump()):
                break
        if self._begun:
            self._write([self._begun])
        self.pipe.close()

    def _write(self, lines: list[bytes]) -> None:
        if not lines:
            return
        self._stream.write(b"".join(self._prefix + line + b"\n" for line in lines))
        self._stream.flush()
        if self._log is not None:
            self._log.write(b"".join(line + b"\n" for line in lines))
            self._log.flush()


def _is_readable(pipe: IO[bytes]) -> bool:
    poll = select.poll()
    poll.register(pipe, select.POLLIN)
    return bool(poll.poll(0))
