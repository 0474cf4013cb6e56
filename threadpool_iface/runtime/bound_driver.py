"""A driver whose thread is bound to cores, with a pool of its own active."""

from __future__ import annotations

from ..active import UNSET, set_threadpool
from ..iface import ThreadpoolIface
from ..topology.cpu_pool import CPUPool
from ..topology.usable import usable_cpus
from .binding import bind_new_thread
from .driver import Driver


def driver_on(cores: CPUPool, pool: ThreadpoolIface, name: str, maxsize: int) -> Driver:
    """Its thread closes the pool when it ends. Who owns the driver has to `stop` or `close` it."""
    usable = usable_cpus()

    def enter() -> None:
        bind_new_thread(cores, usable)
        set_threadpool(pool)

    def leave() -> None:
        set_threadpool(UNSET)
        pool.close()

    return Driver(name, maxsize, enter, leave)
