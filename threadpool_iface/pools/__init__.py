"""The pools that come with the library, one file each."""

from .fork_join import OmpLikePool
from .sequential import SequentialPool
from .work_stealing import EigenLikePool

__all__ = ["EigenLikePool", "OmpLikePool", "SequentialPool"]
