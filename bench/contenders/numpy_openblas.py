"""NumPy's matmul. Its threads are set by OPENBLAS_NUM_THREADS before the process starts."""

from __future__ import annotations

import numpy as np

from ..cases import Case, gemm_operands
from .contender import Contender, Prepared


class NumPy(Contender):
    def __init__(self, threads: int) -> None:
        self.threads = threads

    def gemm(self, case: Case) -> Prepared | None:
        a, b = gemm_operands(case.shape)
        out = np.empty((a.shape[0], b.shape[1]), np.float32)
        return Prepared(lambda: np.matmul(a, b, out=out), lambda y: y)
