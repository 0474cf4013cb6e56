"""numba's own parallel loops, as a user would write them: no tiles, no packing."""

from __future__ import annotations

import numba
import numpy as np
from numba import njit, prange

from .. import native
from ..cases import Case, gemm_operands
from .contender import Contender, Prepared, skew_unit


@njit(parallel=True, fastmath=True, cache=True)
def _matmul(a, b, out):
    for i in prange(a.shape[0]):
        out[i, :] = 0.0
        for k in range(a.shape[1]):
            for j in range(b.shape[1]):
                out[i, j] += a[i, k] * b[k, j]


@njit(parallel=True, cache=True)
def _skewed(unit, results):
    for i in prange(results.size):
        x = 1.0 + i
        for _ in range(unit * (i + 1)):
            x = x * 0.999999 + 1e-6
        results[i] = x


class Prange(Contender):
    def __init__(self, threads: int) -> None:
        numba.set_num_threads(min(threads, numba.config.NUMBA_NUM_THREADS))

    def skewed(self, case: Case) -> Prepared | None:
        unit, results = skew_unit(case.microseconds, native.CHUNKS), np.empty(native.CHUNKS)
        return Prepared(lambda: _skewed(unit, results))

    def gemm(self, case: Case) -> Prepared | None:
        a, b = gemm_operands(case.shape)
        out = np.empty((a.shape[0], b.shape[1]), np.float32)

        def run() -> np.ndarray:
            _matmul(a, b, out)
            return out

        return Prepared(run, lambda y: y)
