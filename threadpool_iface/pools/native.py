"""What the native pools share: their size, blocktime, affinity, and regions of callables."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, NoReturn

from ..arguments import MAX_THREADS, checked_int
from ..errors import OversubscriptionWarning
from ..iface import ThreadpoolIface
from ..native import ffi
from ..topology import default_num_threads
from ..topology.cpu_pool import CPUPool
from ..topology.usable import usable_cpus

#: Microseconds that an idle thread keeps looking for work. With 2 ms, regions that come 1 ms apart
#: start in 1 us; with 200 us the threads sleep by then and waking one costs 50.
DEFAULT_BLOCKTIME = 2000.0
_FOREVER = -1

#: Why a pool has the size it has, if nothing else was said.
MACHINE = "as many as this process may run at once"

_warned_of_oversubscription = False


class NativePool(ThreadpoolIface):
    """A pool of the C core; closing joins its threads, and so does dropping the last reference.

    Regions on it run in C: a subclass that overrides `parallel_for` sees direct calls only.
    """

    _python_regions: ClassVar[bool] = False

    def __init__(self, fill: Callable[[Any], None], num_threads: int) -> None:
        """`fill(tpi_pool **)` puts a reference of the C pool there."""
        self._num_threads = num_threads
        self._own(fill)

    def _fill(self, box: Any) -> NoReturn:
        raise RuntimeError(f"{type(self).__name__}.__init__ must call super().__init__()")

    @property
    def num_threads(self) -> int:
        """Threads that can run tasks at once, the caller included."""
        return self._num_threads

    def parallel_for(self, n: int, fn: Callable[[int, int], Any]) -> None:
        """`for i in range(n): fn(i, n)` on this pool, whichever is active.

        `fn` may be anything that `parallel` takes, and fails as it does there. n = 0 calls nothing.
        """
        self._run_region(n, fn)


class WorkersPool(NativePool):
    """A pool whose workers the C core starts: what OmpLikePool and EigenLikePool share."""

    #: Microseconds that an idle worker keeps looking for work; `math.inf`: it never sleeps.
    blocktime: float
    #: The CPU that each thread but the caller is bound to, from the caller's on, in turn; empty:
    #: the kernel chooses.
    affinity: tuple[int, ...]

    def __init__(
        self, fill: Callable[[Any, Any], None], num_threads: int, blocktime: float | None,
        cpus: Sequence[int], stats: bool,
    ) -> None:
        """`fill(tpi_pool **, tpi_pool_options *)` puts a reference of the C pool there."""
        numbers, options = _options(num_threads, blocktime, cpus, stats)
        super().__init__(lambda box: fill(box, options), num_threads)
        del numbers  # the C pool has copied them
        self.blocktime = DEFAULT_BLOCKTIME if blocktime is None else float(blocktime)
        self.affinity = tuple(cpus)

    def _policy(self) -> list[str]:
        shown = [f"blocktime {_shown_blocktime(self.blocktime)}"]
        return [*shown, f"on CPUs {list(self.affinity)}"] if self.affinity else shown


def _options(
    num_threads: int, blocktime: float | None, cpus: Sequence[int], stats: bool
) -> tuple[Any, Any]:
    """The CPU numbers, and a `tpi_pool_options *` that points to them."""
    if not isinstance(stats, bool):
        raise TypeError(f"stats must be a bool, not {stats!r}")
    numbers = ffi.new("int32_t[]", list(cpus))
    options = ffi.new("tpi_pool_options *")
    options.num_threads, options.blocktime_us = num_threads, native_blocktime(blocktime)
    options.cpus, options.ncpus = numbers if cpus else ffi.NULL, len(cpus)
    options.metered = stats
    return numbers, options


def _shown_blocktime(blocktime: float) -> str:
    return "for ever" if math.isinf(blocktime) else f"{blocktime:g} us"


def why(num_threads: object, affinity: object) -> str:
    """What decides a pool's size."""
    if isinstance(num_threads, CPUPool) or (num_threads is None and isinstance(affinity, CPUPool)):
        return "its cores"
    return MACHINE if num_threads is None else "asked for"


def checked_num_threads(num_threads: int | None) -> int:
    """The size asked for, or the machine's; warns once when it is more than the machine's."""
    machine = default_num_threads()
    if num_threads is None:
        return min(machine, MAX_THREADS)
    size = checked_int(num_threads, "num_threads", 1, MAX_THREADS)
    # Workers need not stay where a bound caller is.
    if size > machine and size > (usable := default_num_threads(len(usable_cpus()))):
        _warn_of_oversubscription(size, usable)
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
