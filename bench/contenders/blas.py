"""NumPy's matmul on OpenBLAS's own threads or on one of our pools, alone or between our kernels.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np

import threadpool_iface as tpi
from kernels import Matmul
from threadpool_iface import blas_layer

from ..cases import Case, gemm_operands
from .callers import Callers
from .contender import Contender, Prepared

#: Of a block, for a library that does so many operations in a second.
SECONDS, RATE = 0.05, 100e9
MOST_CALLS, LEAST_CALLS = 1000, 4


class Blas(Contender):
    """`kind` is one of our pools, or empty for OpenBLAS's own threads; then our kernels, which have
    to run somewhere, run on an OmpLikePool beside them."""

    def __init__(self, threads: int, kind: str, limited: bool) -> None:
        warnings.simplefilter("ignore", tpi.OversubscriptionWarning)
        if kind:
            blas_layer.install()
        self._limit = blas_layer.limited() if limited else None
        if self._limit:
            self._limit.__enter__()
        pool = getattr(tpi, kind or "OmpLikePool")(threads)
        tpi.set_default_threadpool(pool)
        self.pool = pool
        self._callers = Callers()

    def blas(self, case: Case) -> Prepared | None:
        """A call's seconds are the pair's where two libraries take turns."""
        shape = case.shape
        count = int(SECONDS * RATE / (2 * shape.m * shape.n * shape.k) / case.tasks)
        calls = [self._call(case) for _ in range(case.tasks)]

        def run(count: int) -> np.ndarray:
            return self._callers.timed(calls, count)

        return Prepared(run, times_itself=True, block=min(max(count, LEAST_CALLS), MOST_CALLS))

    def _call(self, case: Case) -> Callable[[], object]:
        a, b = (operand.astype(case.dtype) for operand in gemm_operands(case.shape))
        out, ours_out = np.empty((a.shape[0], b.shape[1]), a.dtype), np.empty_like(a @ b)
        ours = Matmul(a.shape, b.shape, dtype=a.dtype)
        both = {"numpy": (lambda: np.matmul(a, b, out=out),),
                "ours": (lambda: ours(a, b, out=ours_out),)}
        both["alternating"] = both["numpy"] + both["ours"]
        turns = both[case.body]
        return lambda: [turn() for turn in turns]
