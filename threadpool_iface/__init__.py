"""Thread pools you choose, for native kernels called from Python."""

import atexit
import os
import sys
from typing import TYPE_CHECKING, Any

from . import verbose
from .active import (
    UNSET,
    default_from_environment,
    get_default_threadpool,
    get_max_threads,
    get_threadpool,
    in_parallel,
    set_default_threadpool,
    set_threadpool,
    threadpool,
)
from .attr import PrimitiveAttr
from .decomposition import Decomposition, balance211
from .errors import (
    BrokenGangError,
    GilHeldWarning,
    OversubscriptionWarning,
    PoolClosedError,
    TaskError,
    ThreadpoolError,
    UnsupportedError,
)
from .gang import barrier
from .iface import ASYNCHRONOUS, ThreadpoolIface
from .latch import Latch, finish_all
from .native import get_include, lib
from .parallel import parallel, parallel_for, parallel_nd, parallel_reduce, parallel_scan
from .pools import (
    EigenLikePool,
    ExecutorPool,
    ForeignPool,
    OmpLikePool,
    OpenMPPool,
    SequentialPool,
)
from .region import begin_child, know_this_thread, watch_interrupts
from .settings import variable
from .shadowing import warn_if_kernels_is_not_ours
from .stats import PoolStats
from .stream import Stream
from .topology import CPUPool, default_num_threads
from .verbose import set_verbose

if TYPE_CHECKING:
    from .census import who
    from .inheriting import InheritingExecutor, inherit, to_thread
    from .launcher.instance import report_throughput, shard
    from .runtime.pin import pin
    from .runtime.streams.hint import Hint
    from .runtime.streams.multi_stream import MultiStream
    from .runtime.task import Task

__version__ = "0.1.0"

__all__ = [
    "ASYNCHRONOUS",
    "UNSET",
    "BrokenGangError",
    "CPUPool",
    "Decomposition",
    "EigenLikePool",
    "ExecutorPool",
    "ForeignPool",
    "GilHeldWarning",
    "Hint",
    "InheritingExecutor",
    "Latch",
    "MultiStream",
    "OmpLikePool",
    "OpenMPPool",
    "OversubscriptionWarning",
    "PoolClosedError",
    "PoolStats",
    "PrimitiveAttr",
    "SequentialPool",
    "Stream",
    "Task",
    "TaskError",
    "ThreadpoolError",
    "ThreadpoolIface",
    "UnsupportedError",
    "balance211",
    "barrier",
    "default_num_threads",
    "get_default_threadpool",
    "get_include",
    "get_max_threads",
    "get_threadpool",
    "in_parallel",
    "inherit",
    "parallel",
    "parallel_for",
    "parallel_nd",
    "parallel_reduce",
    "parallel_scan",
    "pin",
    "refresh",
    "report_throughput",
    "set_default_threadpool",
    "set_threadpool",
    "set_verbose",
    "shard",
    "threadpool",
    "to_thread",
    "verbose",
    "who",
]

#: Imported when first asked for: they bring `concurrent.futures`, `inspect` and more with them.
_LAZY = {
    "Hint": "runtime.streams.hint", "InheritingExecutor": "inheriting",
    "MultiStream": "runtime.streams.multi_stream", "Task": "runtime.task",
    "inherit": "inheriting", "pin": "runtime.pin", "report_throughput": "launcher.instance",
    "shard": "launcher.instance", "to_thread": "inheriting", "who": "census",
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f".{_LAZY[name]}", __name__), name)


def refresh() -> int:
    """Read the affinity mask and the CPU quota again, and return the machine's default size.

    For a process whose limits have changed: pools made from now on have the new size by default.
    Those that exist keep theirs.
    """
    size = default_num_threads()
    lib.tpi_set_machine_threads(size)
    return size


def _at_exit() -> None:
    finish_all()
    # Daemon threads may be inside regions that never end, because their tasks need an interpreter.
    lib.tpi_abandon_threads()


atexit.register(_at_exit)
watch_interrupts()
os.register_at_fork(before=know_this_thread, after_in_child=begin_child)
refresh()
default_from_environment()
if variable("THREADPOOL_IFACE_OPENMP") not in ("", "0"):
    from .openmp_layer.layer import install_from_environment

    install_from_environment()
warn_if_kernels_is_not_ours()
if hasattr(sys.modules.get("threadpoolctl"), "register"):
    from . import threadpoolctl_controller as _  # noqa: F401
