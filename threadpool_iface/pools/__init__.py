"""The pools that come with the library, one file each."""

from .executor import ExecutorPool
from .foreign import ForeignPool
from .fork_join import OmpLikePool
from .openmp import OpenMPPool
from .sequential import SequentialPool
from .work_stealing import EigenLikePool

__all__ = [
    "EigenLikePool",
    "ExecutorPool",
    "ForeignPool",
    "OmpLikePool",
    "OpenMPPool",
    "SequentialPool",
]
