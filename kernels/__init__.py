"""Primitives on pools: products, convolutions, and what networks need beside them."""

from .cache import CacheInfo, cache_clear, cache_info, set_cache_capacity
from .convolution import Conv2d
from .elementwise import BatchNorm, Binary, Concat, Eltwise, Reorder, Softmax
from .matmul import Matmul
from .one_shot import matmul
from .packed import PackedWeights
from .pooling import Pool2d
from .post_ops import Clip, Function, Relu, Sum

__all__ = [
    "BatchNorm",
    "Binary",
    "CacheInfo",
    "Clip",
    "Concat",
    "Conv2d",
    "Eltwise",
    "Function",
    "Matmul",
    "PackedWeights",
    "Pool2d",
    "Relu",
    "Reorder",
    "Softmax",
    "Sum",
    "cache_clear",
    "cache_info",
    "matmul",
    "set_cache_capacity",
]
