"""`who()`: which pools there are, who uses them, with how many threads and why."""

from __future__ import annotations

import sys
import threading
from dataclasses import dataclass
from typing import Any

from .active import choices, get_default_threadpool
from .iface import ThreadpoolIface, living_pools
from .native import lib
from .topology import default_num_threads


@dataclass(frozen=True)
class PoolUse:
    """A pool, and who uses it.

    Attributes
    ----------
    number : int
        Tells it from all pools this process has had.
    pool : str
        Its repr.
    num_threads : int
        Its size, the caller included.
    why : str
        What decided the size.
    default : bool
        Whether threads that chose nothing run on it.
    active_in : tuple of str
        The threads whose active pool it is.
    running : bool
        Whether a region is running on it.
    regions, tasks : int
        Submitted to it so far.
    """

    number: int
    pool: str
    num_threads: int
    why: str
    default: bool
    active_in: tuple[str, ...]
    running: bool
    regions: int
    tasks: int

    def __str__(self) -> str:
        lines = [self.pool, f"  {self.num_threads} threads: {self.why}"]
        if self.default:
            lines.append("  the default of threads that chose no pool")
        if self.active_in:
            lines.append(f"  active in {', '.join(self.active_in)}")
        now = "a region is running" if self.running else "idle"
        lines.append(f"  {now}; {_counted(self.regions, 'region')}, {_counted(self.tasks, 'task')} "
                     "so far")
        return "\n".join(lines)


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'s' * (number != 1)}"


@dataclass(frozen=True)
class Census:
    """What `who()` found.

    Attributes
    ----------
    pools : tuple of PoolUse
        Those that are open and that some Python object still holds.
    sequential : tuple of str
        Threads that chose to run without a pool.
    machine : int
        How many threads this process may run at once.
    others : tuple of str
        Thread pools of other libraries, if `threadpoolctl` is installed to find them.
    layers : tuple of str
        Which other code has been sent to our pools.
    """

    pools: tuple[PoolUse, ...]
    sequential: tuple[str, ...]
    machine: int
    others: tuple[str, ...]
    layers: tuple[str, ...]

    def __str__(self) -> str:
        parts = [str(use) for use in self.pools] or ["no pools"]
        if self.sequential:
            parts.append(f"without a pool, by choice: {', '.join(self.sequential)}")
        parts += [*self.layers, *self.others]
        parts.append(f"this process may run {self.machine} threads at once")
        return "\n".join(parts)


def who() -> Census:
    """Look around: pools, the threads that use them, and what else has threads in this process."""
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    chosen = [(names[choice.ident], choice.pool) for choice in _copied(choices)
              if choice.ident in names]
    return Census(
        tuple(_use(pool, [name for name, its in chosen if its is pool])
              for pool, _ in living_pools()),
        tuple(sorted(name for name, its in chosen if its is None)),
        default_num_threads(), _others(), _layers(),
    )


def _copied(things: Any) -> list[Any]:
    """A list of a set that other threads add to."""
    while True:
        try:
            return list(things)
        except RuntimeError:  # it grew meanwhile
            continue


def _use(pool: ThreadpoolIface, threads: list[str]) -> PoolUse:
    stats = pool.stats()
    return PoolUse(pool._number, repr(pool), pool.num_threads, pool.size_from,
                   pool is get_default_threadpool(), tuple(sorted(threads)),
                   bool(lib.tpi_pool_in_use(pool._native)), stats.regions, stats.tasks)


def _others() -> tuple[str, ...]:
    try:
        from threadpoolctl import threadpool_info
    except ImportError:
        return ()
    return tuple(f"{info['user_api']}: {info.get('internal_api', '')} "
                 f"{info.get('version') or ''}, {info['num_threads']} threads".replace("  ", " ")
                 for info in threadpool_info() if info.get("user_api") != "threadpool_iface")


def _layers() -> tuple[str, ...]:
    """Looked up, not imported: what was never imported is not installed."""
    found = []
    for name, what in (("numba_layer", "numba's parallel loops run on the active pool"),
                       ("blas_layer", "OpenBLAS's jobs run on the active pool"),
                       ("openmp_layer", "libgomp's regions run on the active pool")):
        module = sys.modules.get(f"threadpool_iface.{name}")
        if module is not None and module.installed():
            found.append(what)
            if name == "openmp_layer":
                found += [f"{path}: its regions keep their own threads"
                          for path in module.not_redirected()]
    return tuple(found)


