"""Claims on cores: two processes of a user that claim cores have different ones.

A claim is a UNIX socket bound to an abstract name for each core. The kernel lets one socket have a
name, and takes it back when the process ends, however it ends; nothing lies on disk. Processes in
different network namespaces, such as containers, do not see each other's.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from types import TracebackType
from typing import Self

from .cpu_pool import CPUPool
from .cpus import read_cpus


class Claim:
    """Cores that are claimed until `close`, the end of a `with` block or of the process."""

    def __init__(self, cores: CPUPool, sockets: ExitStack) -> None:
        self.cores = cores
        self._sockets = sockets

    def close(self) -> None:
        """Let others have them."""
        self._sockets.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 traceback: TracebackType | None) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Claim: {self.cores!r}>"


def claim(count: int, among: CPUPool) -> Claim:
    """Claim `count` cores that lie side by side in the machine and that nobody has claimed.

    Raises
    ------
    ValueError
        `among` has fewer.
    RuntimeError
        Others have claimed too many.
    """
    if not 1 <= count <= len(among):
        raise ValueError(f"cannot claim {count} of the {len(among)} cores of {among!r}")
    for candidate in _side_by_side(count, among):
        if (sockets := _claimed(candidate)) is not None:
            return Claim(CPUPool(candidate), sockets)
    raise RuntimeError(f"no {count} cores side by side are left of {among!r}: other processes have "
                       "claimed too many")


def _side_by_side(count: int, among: CPUPool) -> Iterator[list[int]]:
    """First the candidates that leave room for others of the same size."""
    order = [cpu.number for cpu in sorted(read_cpus(among), key=lambda cpu: cpu[1:])]
    starts = range(len(order) - count + 1)
    for start in sorted(starts, key=lambda start: (start % count != 0, start)):
        yield order[start : start + count]


def _claimed(cores: list[int]) -> ExitStack | None:
    """Sockets for all of them, or None if somebody has one."""
    with ExitStack() as sockets:
        for core in cores:
            each = sockets.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
            try:
                each.bind(f"\0threadpool_iface.core.{os.getuid()}.{core}")
            except OSError:
                return None
        return sockets.pop_all()
