"""Thread pools you choose, for native kernels called from Python."""

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
from .errors import OversubscriptionWarning, PoolClosedError, TaskError, ThreadpoolError
from .iface import ASYNCHRONOUS, ThreadpoolIface
from .native import get_include, lib
from .parallel import parallel, parallel_for, parallel_nd
from .pools import EigenLikePool, ForeignPool, OmpLikePool, SequentialPool
from .region import watch_interrupts
from .shadowing import warn_if_kernels_is_not_ours
from .stream import Stream
from .topology import default_num_threads
from .verbose import set_verbose

__version__ = "0.1.0"

__all__ = [
    "ASYNCHRONOUS",
    "UNSET",
    "Decomposition",
    "EigenLikePool",
    "ForeignPool",
    "OmpLikePool",
    "OversubscriptionWarning",
    "PoolClosedError",
    "PrimitiveAttr",
    "SequentialPool",
    "Stream",
    "TaskError",
    "ThreadpoolError",
    "ThreadpoolIface",
    "balance211",
    "default_num_threads",
    "get_default_threadpool",
    "get_include",
    "get_max_threads",
    "get_threadpool",
    "in_parallel",
    "parallel",
    "parallel_for",
    "parallel_nd",
    "set_default_threadpool",
    "set_threadpool",
    "set_verbose",
    "threadpool",
    "verbose",
]

watch_interrupts()
lib.tpi_set_machine_threads(default_num_threads())
default_from_environment()
warn_if_kernels_is_not_ours()
