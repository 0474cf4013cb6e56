"""What a pool has counted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .native import ffi, lib


@dataclass(frozen=True)
class PoolStats:
    """Counters of a pool since it was made.

    Attributes
    ----------
    regions, tasks : int
        Regions that were submitted to the pool, gangs and asynchronous ones included, and their
        tasks. Regions inside regions run inline and are not counted.
    steals : int or None
        Pieces of work that a worker took from another one's queue.
    parks, wakes : int or None
        How often a thread went to sleep, and how often one was woken.
    idle : float or None
        Seconds that all of its threads together have waited, once a wait took longer than about a
        microsecond.

    All but the first two are None unless the pool was made with `stats=True`.
    """

    regions: int
    tasks: int
    steals: int | None = None
    parks: int | None = None
    wakes: int | None = None
    idle: float | None = None


def read_stats(pool: Any) -> PoolStats:
    """The counters of a native handle."""
    seen = ffi.new("tpi_stats *")
    lib.tpi_pool_stats(pool, seen)
    if not seen.detailed:
        return PoolStats(seen.regions, seen.tasks)
    return PoolStats(seen.regions, seen.tasks, seen.steals, seen.parks, seen.wakes,
                     1e-9 * seen.idle_ns)
