"""A small parallel loop, compared with what it should give. Compiled once, then from a cache."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..active import _activate, chosen, set_threadpool
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


def _put_back(before: Any, pool: OmpLikePool) -> None:
    _activate(before)
    pool.close()


def check_layer_works(num_threads: int) -> None:
    """Run a reduction on a pool of our own.

    Raises
    ------
    ThreadpoolError
        It gave something else than it should, or did not run on the pool.
    """
    values, seen = np.ones(_ROWS), np.zeros(_ROWS, np.int64)
    before = chosen()
    pool = OmpLikePool(num_threads)
    try:
        set_threadpool(pool)
        total = _loop()(values, seen)
        regions = pool.stats().regions
        _put_back(before, pool)
    except BaseException:  # no `finally`: an interruption of its normal end would skip the rest
        _put_back(before, pool)
        raise
    if total != _ROWS * (_ROWS + 1) / 2 or not (seen == 1).all() or regions == 0:
        raise ThreadpoolError(
            "the numba layer failed its self-test and is taken out again: the sum of "
            f"1 .. {_ROWS} was {total}, in {regions} regions, with {int((seen != 1).sum())} of "
            "the iterations not run once"
        )
