"""Primitives on pools: Matmul, Conv2d and Pool2d, their decomposition chosen at creation."""

from .cache import CacheInfo, cache_clear, cache_info, set_cache_capacity
from .convolution import Conv2d
from .matmul import Matmul
from .one_shot import matmul
from .packed import PackedWeights
from .pooling import Pool2d
from .post_ops import Clip, Function, Relu, Sum

__all__ = [
    "CacheInfo",
    "Clip",
    "Conv2d",
    "Function",
    "Matmul",
    "PackedWeights",
    "Pool2d",
    "Relu",
    "Sum",
    "cache_clear",
    "cache_info",
    "matmul",
    "set_cache_capacity",
]
