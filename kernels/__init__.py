"""Primitives on pools: Matmul and Conv2d, their decomposition chosen at creation."""

from .cache import CacheInfo, cache_clear, cache_info, set_cache_capacity
from .convolution import Conv2d
from .matmul import Matmul
from .one_shot import matmul
from .packed import PackedWeights
from .post_ops import Clip, Function, Relu, Sum

__all__ = [
    "CacheInfo",
    "Clip",
    "Conv2d",
    "Function",
    "Matmul",
    "PackedWeights",
    "Relu",
    "Sum",
    "cache_clear",
    "cache_info",
    "matmul",
    "set_cache_capacity",
]
