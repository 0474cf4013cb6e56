"""EigenLikePool: work-stealing, as Eigen's thread pool does it."""

from __future__ import annotations

from collections.abc import Sequence

from ..native import lib
from .native import (
    DEFAULT_BLOCKTIME,
    NativePool,
    checked_num_threads,
    native_affinity,
    native_blocktime,
)


class EigenLikePool(NativePool):
    """A native work-stealing pool: uneven tasks, and many callers at once.

    Parameters
    ----------
    num_threads : int, optional
        Size, the caller included; by default min(CPUs of the affinity mask, CPU quota rounded up).
    blocktime : float, optional
        Microseconds that an idle worker keeps looking for work before it sleeps; `math.inf`: never
        sleeps. 2000 by default.
    affinity : sequence of int, optional
        CPUs to bind the workers to, in turn, the calling thread's first. CPUs that this process may
        not use are left out with a warning.

    Workers start at the first region. The tasks of a region are claimed one by one by the caller
    and by every worker that has nothing better to do, so a caller never waits for a busy worker.

    Raises
    ------
    TypeError, ValueError
        An argument outside its domain.
    """

    def __init__(
        self, num_threads: int | None = None, *, blocktime: float | None = None,
        affinity: Sequence[int] | None = None,
    ) -> None:
        microseconds, cpus = native_blocktime(blocktime), native_affinity(affinity)
        size = checked_num_threads(num_threads)
        super().__init__(lib.tpi_work_stealing_new(size, microseconds, cpus, len(cpus)), size)
        self.blocktime = DEFAULT_BLOCKTIME if blocktime is None else float(blocktime)
