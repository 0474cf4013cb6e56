"""Other libraries' runtimes, the same bodies."""

from __future__ import annotations

from functools import cached_property

from ..native import peers
from ..native.peers import Peer
from .native_pool import NativePool


class Runtime(NativePool):
    """An OpenMP runtime or oneTBB; `option` is dynamic for one, the partitioner for the other."""

    def __init__(self, threads: int, name: str, option: bool = False) -> None:
        self.threads = threads
        if name == "tbb":
            self._pool = peers.tbb(threads, option)
        else:
            self._pool = peers.kmp(name, threads, option)

    def gang(self) -> Peer:
        return self._pool


class Eigen(NativePool):
    """Eigen's own pool: one for regions and one for loops, made when first used."""

    def __init__(self, threads: int) -> None:
        self.threads = threads

    @cached_property
    def _gang(self) -> Peer:
        return peers.eigen_gang(self.threads)

    @cached_property
    def _loops(self) -> Peer:
        return peers.eigen_loop(self.threads)

    def gang(self) -> Peer:
        return self._gang

    def loops(self) -> Peer:
        return self._loops
