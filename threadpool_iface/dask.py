"""Dask: workers of `distributed` on cores of their own, each with its pool active.

    client.register_plugin(CorePools())

Needs `distributed`, which `pip install 'threadpool-iface[dask]'` brings.
"""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor

try:
    from distributed import Worker, WorkerPlugin
except ImportError as error:
    raise ImportError("threadpool_iface.dask needs distributed: "
                      "pip install 'threadpool-iface[dask]'") from error

from .arguments import checked_int
from .runtime.executor import PinnedThreadPoolExecutor
from .runtime.pools import Factory, checked_factory
from .topology.claims import Claim, claim
from .topology.cpu_pool import CPUPool

__all__ = ["CorePools"]

#: What runs tasks, and what runs the methods of actors.
_EXECUTORS = ("default", "actor")


class CorePools(WorkerPlugin):
    """Gives every worker cores that no other worker on its host has, and a pool on them.

    Tasks and actors of a worker are bound to its cores, and a pool of one thread for each core is
    active in them. Workers that come later get cores too, as long as some are left; a worker that
    ends leaves its cores to others. Coroutines run on the worker's event loop, so they are not
    bound.

    Parameters
    ----------
    pool : "omp", "eigen" or callable
        The kind of the pool, as for `pin`.
    per_thread : bool
        Each task has an even part of the worker's cores, and a pool on that, alone; otherwise tasks
        that run at the same time share all of them.
    cores : int, optional
        Of each worker; by default as many as it has threads.
    core_ids : iterable of int, optional
        The cores to share out, on each host; by default all that a worker may use.

    Registering another one in its place moves the workers.

    Raises
    ------
    TypeError, ValueError
        An argument outside its domain.

    `Client.register_plugin` raises ValueError where a host has fewer cores than a worker needs, or
    fewer than threads that each need one; RuntimeError where other workers have too many of them;
    TypeError where a worker runs tasks in other processes.
    """

    name = "threadpool_iface.CorePools"

    def __init__(self, pool: str | Factory = "omp", per_thread: bool = False, *,
                 cores: int | None = None, core_ids: Iterable[int] | None = None) -> None:
        checked_factory(pool)
        self.pool, self.per_thread = pool, per_thread
        self.cores = None if cores is None else checked_int(cores, "cores", 1)
        self.core_ids = None if core_ids is None else tuple(core_ids)
        self._claim: Claim | None = None

    def setup(self, worker: Worker) -> None:
        """Called by a worker when it gets the plugin."""
        threads = worker.state.nthreads
        cores = threads if self.cores is None else self.cores
        if self.per_thread and threads > cores:
            raise ValueError(f"per_thread needs a core for each of the worker's {threads} threads, "
                             f"and cores is {cores}")
        for name in _EXECUTORS:
            if isinstance(worker.executors[name], ProcessPoolExecutor):
                raise TypeError(f"CorePools needs tasks to run in threads, and the worker's {name} "
                                "executor has processes")
        self._claim = claim(cores, CPUPool(self.core_ids))
        own = self._claim.cores
        parts = own.split(threads) if self.per_thread else []
        for name in _EXECUTORS:
            worker.executors[name] = PinnedThreadPoolExecutor(worker.executors[name], own, parts,
                                                              self.pool)

    def teardown(self, worker: Worker) -> None:
        """Called by a worker when it loses the plugin, or ends."""
        for name in _EXECUTORS:
            executor = worker.executors[name]
            if isinstance(executor, PinnedThreadPoolExecutor):
                worker.executors[name] = executor.threads
        if self._claim is not None:
            self._claim.close()
            self._claim = None
