"""A small parallel loop, compared with what it should give. Compiled once, then from a cache."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..active import threadpool
from ..errors import ThreadpoolError
from ..pools import OmpLikePool

_ROWS = 1000


def _loop() -> Any:
    from numba import njit, prange

    def weighted_sum(values: Any, seen: Any) -> Any:
        total = 0.0
        for i in prange(values.size):
            total += values[i] * (i + 1)
            seen[i] += 1
        return total

    try:
        return njit(parallel=True, cache=True)(weighted_sum)
    except RuntimeError:  # no folder that a cache could be written to
        return njit(parallel=True)(weighted_sum)


def check_layer_works(num_threads: int) -> None:
    """Run a reduction on a pool of our own.

    Raises
    ------
    ThreadpoolError
        It gave something else than it should, or did not run on the pool.
    """
    values, seen = np.ones(_ROWS), np.zeros(_ROWS, np.int64)
    with OmpLikePool(num_threads) as pool:
        with threadpool(pool):
            total = _loop()(values, seen)
        regions = pool.stats().regions
    if total != _ROWS * (_ROWS + 1) / 2 or not (seen == 1).all() or regions == 0:
        raise ThreadpoolError(
            "the numba layer failed its self-test and was taken out again: the sum of "
            f"1 .. {_ROWS} was {total}, in {regions} regions, with {int((seen != 1).sum())} of "
            "the iterations not run once"
        )
