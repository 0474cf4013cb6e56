"""What instances report, in files of the launcher that are in memory only.

An instance opens its file through the launcher's entry in /proc, so that also its children can, and
nothing is left behind whoever is killed.
"""

from __future__ import annotations

import os
import re

_LINE = re.compile(rb"throughput (\S+) (\S+)(?: \S+)?\n")


class Report:
    """The file of one instance."""

    def __init__(self) -> None:
        self._file = os.memfd_create("report")

    @property
    def path(self) -> str:
        """What an instance opens to append to it."""
        return f"/proc/{os.getpid()}/fd/{self._file}"

    def throughput(self) -> float | None:
        """Items a second over everything that was reported; None if nothing was."""
        text = os.pread(self._file, os.fstat(self._file).st_size, 0)
        found = [match.groups() for match in _LINE.finditer(text)]
        items, seconds = (sum(float(pair[i]) for pair in found) for i in (0, 1))
        return items / seconds if seconds else None

    def close(self) -> None:
        """Forget it."""
        os.close(self._file)
