"""The pools that `pin` and `Task` run on: made for a CPUPool, by name or by a factory."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from ..iface import ThreadpoolIface
from ..pools import EigenLikePool, OmpLikePool
from ..topology.cpu_pool import CPUPool

Factory = Callable[[CPUPool], ThreadpoolIface]

_FACTORIES: dict[str, Factory] = {"omp": OmpLikePool, "eigen": EigenLikePool}
#: Pools kept for `pin`. Their workers sleep, so the price is memory; a guess.
_KEPT = 128


def checked_factory(pool: str | Factory) -> Factory:
    """What makes the pool on given cores.

    Raises
    ------
    TypeError, ValueError
        `pool` is neither a name nor callable, or another name.
    """
    if callable(pool):
        return pool
    if not isinstance(pool, str):
        raise TypeError('pool must be "omp", "eigen" or a callable that takes a CPUPool, '
                        f"not {pool!r}")
    if pool not in _FACTORIES:
        raise ValueError(f'pool must be "omp", "eigen" or a callable, not {pool!r}')
    return _FACTORIES[pool]


def checked_cores(cpu_pool: CPUPool) -> CPUPool:
    """The CPUs to run on.

    Raises
    ------
    TypeError, ValueError
        `cpu_pool` is not a CPUPool, or an empty one.
    """
    if not isinstance(cpu_pool, CPUPool):
        raise TypeError(f"cpu_pool must be a CPUPool, not {cpu_pool!r}")
    if not cpu_pool:
        raise ValueError(f"cpu_pool must have a CPU, not be {cpu_pool!r}")
    return cpu_pool


def made(factory: Factory, cpu_pool: CPUPool) -> ThreadpoolIface:
    """A new pool on these cores.

    Raises
    ------
    TypeError
        The factory made something else.
    """
    pool = factory(cpu_pool)
    if not isinstance(pool, ThreadpoolIface):
        raise TypeError(f"pool must make a ThreadpoolIface, not {pool!r}")
    return pool


class _Kept:
    """A pool, and what to make another one from if somebody closed it."""

    def __init__(self, cpu_pool: CPUPool, factory: Factory) -> None:
        self._cpu_pool, self._factory = cpu_pool, factory
        self._pool = made(factory, cpu_pool)

    def pool(self) -> ThreadpoolIface:
        if self._pool.closed:
            self._pool = made(self._factory, self._cpu_pool)
        return self._pool


#: Two threads that ask at once may each make one; then one of the two is not kept. No lock of ours,
#: so none can be held by a thread that a fork leaves behind.
_kept = lru_cache(maxsize=_KEPT)(_Kept)


def pool_on(cpu_pool: CPUPool, factory: Factory) -> ThreadpoolIface:
    """The pool of this factory on these cores, shared by all who ask; it is never closed.

    The least recently used ones are dropped; a thread keeps the one that is active in it.
    """
    return _kept(cpu_pool, factory).pool()


def forget_pools() -> None:
    """Drop the pools that are kept; those that are in use end when their users let go."""
    _kept.cache_clear()
