"""The pools that come with the library, one file each."""

from .foreign import ForeignPool
from .fork_join import OmpLikePool
from .sequential import SequentialPool
from .work_stealing import EigenLikePool

__all__ = ["EigenLikePool", "ForeignPool", "OmpLikePool", "SequentialPool"]
