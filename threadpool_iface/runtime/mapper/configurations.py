"""What is tried: instances, cores of each, kind of pool."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple, Self

from ...topology.cpu_pool import CPUPool

POOLS = ("omp", "eigen")


class Configuration(NamedTuple):
    """So many instances, on so many cores each, with such a default pool."""

    instances: int
    cores: int
    pool: str

    def __str__(self) -> str:
        return f"{self.instances} x {self.cores} {self.pool}"

    @classmethod
    def parsed(cls, text: str) -> Self:
        """From what `str` makes."""
        instances, _, cores, pool = text.split()
        return cls(int(instances), int(cores), pool)

    def shares(self, cores: CPUPool) -> list[CPUPool]:
        """The cores of each instance, contiguous in the machine, on one socket where they fit."""
        parts = cores.split(len(cores) // self.cores)[:self.instances]
        return [type(cores)._of(part.core_ids[:self.cores]) for part in parts]


def configurations(cores: int, pools: Sequence[str] = POOLS) -> list[Configuration]:
    """The sensible ones: 1, 2, 4, ... cores and divisors of all, for one instance and for as many
    as there is room for.

    Kinds of pools are told apart from two cores on: a pool of one thread is its caller, always.

    Raises
    ------
    ValueError
        A kind of pool that there is not.
    """
    for pool in pools:
        if pool not in POOLS:
            raise ValueError(f"pools must be some of {', '.join(POOLS)}, not {pool!r}")
    return [Configuration(instances, each, pool)
            for each in _sizes(cores) for instances in sorted({1, cores // each})
            for pool in (pools if each > 1 else pools[:1])]


def _sizes(cores: int) -> Iterable[int]:
    return [each for each in range(1, cores + 1) if cores % each == 0 or each & (each - 1) == 0]
