"""OmpLikePool: fork-join, as an OpenMP runtime does it."""

from __future__ import annotations

from collections.abc import Iterable

from .. import settings
from ..native import lib
from ..topology.cpu_pool import CPUPool
from .affinity import kmp_affinity_cpus, threads_and_cpus
from .native import WorkersPool, checked_num_threads, native_blocktime, why

_SCHEDULES = ("static", "dynamic")


class OmpLikePool(WorkersPool):
    """A native fork-join pool: the fastest start and end of a region.

    Parameters
    ----------
    num_threads : int or CPUPool, optional
        Size, the caller included; or the CPUs to bind to, a thread for each. By default the first
        value of OMP_NUM_THREADS, else min(CPUs of the affinity mask, CPU quota rounded up).
    blocktime : float, optional
        Microseconds that an idle thread keeps looking for work before it sleeps; `math.inf`: never
        sleeps. By default KMP_BLOCKTIME (milliseconds, or `infinite`), else 2000.
    schedule : "static" or "dynamic"
        How the tasks of a region that has more of them than threads are shared: contiguous, even
        blocks; or one by one, as threads get free. A pool of more threads than this process may run
        at once lets threads claim whole blocks, since it cannot know which of them the kernel runs.
    affinity : "compact", "scatter", CPUPool or sequence of int, optional
        CPUs to bind the workers to: neighbouring threads near to each other, or far apart; or these
        CPUs in turn. The first is the calling thread's, which is not moved. CPUs that this process
        may not use are left out with a warning. By default KMP_AFFINITY, else no binding.
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
        self, num_threads: int | CPUPool | None = None, *, blocktime: float | None = None,
        schedule: str = "static", affinity: str | Iterable[int] | None = None, stats: bool = False,
    ) -> None:
        if schedule not in _SCHEDULES:
            raise ValueError(f'schedule must be "static" or "dynamic", not {schedule!r}')
        size_from = why(num_threads, affinity)
        num_threads, cpus = threads_and_cpus(num_threads, affinity)
        if num_threads is None and (num_threads := settings.omp_num_threads()) is not None:
            size_from = "OMP_NUM_THREADS"
        if blocktime is None:
            blocktime = settings.kmp_blocktime()
        native_blocktime(blocktime)
        wanted = settings.kmp_affinity() if affinity is None else None
        show = settings.kmp_settings()
        size = checked_num_threads(num_threads)
        cpus = cpus or kmp_affinity_cpus(wanted, size)
        super().__init__(
            lambda box, options: lib.tpi_box_fork_join(box, options, schedule == "dynamic"),
            size, blocktime, cpus, stats)
        self.schedule, self.size_from = schedule, size_from
        if show:
            settings.print_settings_once(size, self.blocktime, cpus)

    def _policy(self) -> list[str]:
        return [self.schedule, *super()._policy()]
