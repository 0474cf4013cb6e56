"""One-shot calls: create (or find in the cache), run on a given pool, leave nothing active."""

from __future__ import annotations

from typing import Any

import numpy as np

from threadpool_iface import PrimitiveAttr, Stream
from threadpool_iface.active import UNSET

from .matmul import Matmul


def matmul(
    a: np.ndarray, b: np.ndarray, *, out: np.ndarray | None = None, threadpool: Any = UNSET
) -> np.ndarray:
    """`a @ b` in float32 or float64 on a pool of your choice.

    Parameters
    ----------
    a, b : ndarray of one dtype, shapes (..., M, K) and (..., K, N)
        Any strides; batch dimensions broadcast as in NumPy.
    out : ndarray of that dtype, optional
        Where to write.
    threadpool : ThreadpoolIface or None
        The pool to run on; None: the calling thread alone; left out: the effective pool. The
        active pool is the same afterwards.

    Returns
    -------
    ndarray, shape (..., M, N)

    Raises
    ------
    TypeError, ValueError
        An operand that does not fit, named.
    """
    for name, operand in (("a", a), ("b", b)):
        if not isinstance(operand, np.ndarray):
            raise TypeError(f"{name} must be a NumPy array, not {type(operand).__name__}")
    dtype = "float64" if a.dtype == np.float64 else "float32"  # another one is refused by name
    if threadpool is UNSET:
        return Matmul(a.shape, b.shape, dtype=dtype)(a, b, out=out)
    stream = Stream(threadpool)
    bound = 0 if threadpool is None else threadpool.num_threads
    return Matmul(a.shape, b.shape, dtype=dtype, attr=PrimitiveAttr(max_num_threads=bound))(
        a, b, out=out, stream=stream
    )
