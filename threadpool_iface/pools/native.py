"""What the native pools share: their size, blocktime, affinity, and regions of Python callables."""

from __future__ import annotations

import math
import os
import warnings
from collections.abc import Callable, Sequence
from typing import Any

from ..arguments import MAX_THREADS, checked_int
from ..errors import OversubscriptionWarning
from ..iface import ThreadpoolIface
from ..native import ffi, lib
from ..parallel import run_region
from ..topology import allowed_cpus, default_num_threads

#: Microseconds that an idle thread keeps looking for work. With 2 ms, regions that come 1 ms apart
#: start in 1 us; with 200 us the threads sleep by then and waking one costs 50.
DEFAULT_BLOCKTIME = 2000.0
_FOREVER = -1

_warned_of_oversubscription = False


class NativePool(ThreadpoolIface):
    """A pool of the C core; closing joins its threads, and so does dropping the last reference."""

    def __init__(self, handle: Any, num_threads: int) -> None:
        if handle == ffi.NULL:
            raise MemoryError("no memory for a pool")
        self._handle = ffi.gc(handle, lib.tpi_pool_release)
        self._num_threads = num_threads

    @property
    def num_threads(self) -> int:
        """Threads that can run tasks at once, the caller included."""
        return self._num_threads

    def parallel_for(self, n: int, fn: Callable[[int, int], Any]) -> None:
        """`for i in range(n): fn(i, n)` on this pool, whichever is active.

        `fn` may be anything that `parallel` takes, and fails as it does there. n = 0 calls nothing.
        """
        n = checked_int(n, "n", 0, 2**31 - 1)
        self._require_open()
        if n:
            pool = self._native
            run_region(lambda task, ctx: lib.tpi_pool_parallel(pool, n, task, ctx), fn, ())


def checked_num_threads(num_threads: int | None) -> int:
    """The size asked for, or the machine's; warns once when it is more than the machine's."""
    machine = default_num_threads()
    if num_threads is None:
        return min(machine, MAX_THREADS)
    size = checked_int(num_threads, "num_threads", 1, MAX_THREADS)
    if size > machine:
        _warn_of_oversubscription(size, machine)
    return size


def _warn_of_oversubscription(size: int, machine: int) -> None:
    global _warned_of_oversubscription
    if not _warned_of_oversubscription:
        _warned_of_oversubscription = True
        warnings.warn(
            f"a pool of {size} threads was asked for, but this process may run {machine} at once "
            "(affinity mask and CPU quota); the threads will take turns",
            OversubscriptionWarning,
            stacklevel=4,
        )


def native_blocktime(blocktime: float | None) -> int:
    """Whole microseconds for the C core; -1 for ever."""
    if blocktime is None:
        blocktime = DEFAULT_BLOCKTIME
    if isinstance(blocktime, bool) or not isinstance(blocktime, (int, float)):
        raise TypeError(f"blocktime must be a number of microseconds, not {blocktime!r}")
    if math.isnan(blocktime) or blocktime < 0:
        raise ValueError(f"blocktime must be at least 0 microseconds or math.inf, not {blocktime}")
    if blocktime > 2**53:
        return _FOREVER
    return math.ceil(blocktime)


def native_affinity(affinity: Sequence[int] | None) -> list[int]:
    """The CPUs to bind to: those asked for that are allowed. Empty: no binding.

    Raises
    ------
    TypeError
        Not a sequence of integers.
    ValueError
        A CPU that does not exist, or none that is allowed.
    """
    if affinity is None:
        return []
    if isinstance(affinity, (str, bytes)) or not hasattr(affinity, "__iter__"):
        raise TypeError(f"affinity must be a sequence of CPU numbers or None, not {affinity!r}")
    exist = os.cpu_count() or 1
    cpus = [checked_int(cpu, f"affinity[{i}]", 0) for i, cpu in enumerate(affinity)]
    for cpu in cpus:
        if cpu >= exist:
            raise ValueError(f"affinity has CPU {cpu}; this machine has CPUs 0..{exist - 1}")
    allowed = set(allowed_cpus())
    kept = [cpu for cpu in cpus if cpu in allowed]
    if not kept:
        raise ValueError(f"affinity {cpus} has no CPU that this process may use: {sorted(allowed)}")
    if len(kept) < len(cpus):
        dropped = sorted(set(cpus) - allowed)
        warnings.warn(f"affinity: CPUs {dropped} are not allowed for this process and are left out",
                      UserWarning, stacklevel=3)
    return kept
