"""OmpLikePool: fork-join, as an OpenMP runtime does it."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence

from ..arguments import MAX_THREADS
from ..native import lib
from .native import (
    DEFAULT_BLOCKTIME,
    NativePool,
    checked_num_threads,
    native_affinity,
    native_blocktime,
    native_handle,
    shown_blocktime,
)

_SCHEDULES = ("static", "dynamic")


class OmpLikePool(NativePool):
    """A native fork-join pool: the fastest start and end of a region.

    Parameters
    ----------
    num_threads : int, optional
        Size, the caller included. By default the first value of OMP_NUM_THREADS, else
        min(CPUs of the affinity mask, CPU quota rounded up).
    blocktime : float, optional
        Microseconds that an idle thread keeps looking for work before it sleeps; `math.inf`: never
        sleeps. By default KMP_BLOCKTIME (milliseconds, or `infinite`), else 2000.
    schedule : "static" or "dynamic"
        How the tasks of a region that has more of them than threads are shared: contiguous, even
        blocks; or one by one, as threads get free. A pool of more threads than this process may run
        at once lets threads claim whole blocks, since it cannot know which of them the kernel runs.
    affinity : sequence of int, optional
        CPUs to bind the workers to, in turn, the calling thread's first. CPUs that this process may
        not use are left out with a warning.
    stats : bool
        Count more in `stats()` than regions and tasks.

    Workers start at the first region. Several threads may run regions at once: one gets the team,
    the others run their own tasks and take the team over when it gets free.

    Raises
    ------
    TypeError, ValueError
        An argument, or one of the variables, outside its domain.
    """

    def __init__(
        self, num_threads: int | None = None, *, blocktime: float | None = None,
        schedule: str = "static", affinity: Sequence[int] | None = None, stats: bool = False,
    ) -> None:
        if schedule not in _SCHEDULES:
            raise ValueError(f'schedule must be "static" or "dynamic", not {schedule!r}')
        if num_threads is None:
            num_threads = omp_num_threads_from_environment()
        if blocktime is None:
            blocktime = _kmp_blocktime()
        cpus = native_affinity(affinity)
        native_blocktime(blocktime)
        size = checked_num_threads(num_threads)
        super().__init__(
            native_handle(lambda options: lib.tpi_fork_join_new(options, schedule == "dynamic"),
                          size, blocktime, cpus, stats),
            size,
        )
        self.schedule = schedule
        self.blocktime = DEFAULT_BLOCKTIME if blocktime is None else float(blocktime)

    def _policy(self) -> list[str]:
        return [self.schedule, f"blocktime {shown_blocktime(self.blocktime)}"]


def omp_num_threads_from_environment() -> int | None:
    text = os.environ.get("OMP_NUM_THREADS", "").strip()
    if not text:
        return None
    first = text.split(",")[0].strip()
    if not first.isdecimal() or not 1 <= int(first) <= MAX_THREADS:
        raise ValueError(f"OMP_NUM_THREADS must start with a number in 1..{MAX_THREADS}, "
                         f"not {text!r}")
    return int(first)


def _kmp_blocktime() -> float | None:
    """KMP_BLOCKTIME in microseconds."""
    text = os.environ.get("KMP_BLOCKTIME", "").strip()
    if not text:
        return None
    if text.lower() == "infinite":
        return math.inf
    if not text.isdecimal():
        raise ValueError("KMP_BLOCKTIME must be a number of milliseconds or infinite, "
                         f"not {text!r}")
    return 1000.0 * int(text)
