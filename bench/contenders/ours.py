"""Our pools and kernels: weights packed beforehand, results written to memory kept for them."""

from __future__ import annotations

import warnings

import numpy as np

import threadpool_iface as tpi
from kernels import Conv2d, Matmul
from threadpool_iface.arguments import MAX_THREADS
from threadpool_iface.native import address

from .. import native
from ..cases import Case, conv_operands, gemm_operands
from .contender import Contender, Prepared, skew_unit


class Ours(Contender):
    def __init__(
        self, threads: int, kind: str, schedule: str | None = None, size: int | None = None
    ) -> None:
        warnings.simplefilter("ignore", tpi.OversubscriptionWarning)
        if kind == "SequentialPool":
            self.pool = tpi.SequentialPool()
        else:
            options = {} if schedule is None else {"schedule": schedule}
            self.pool = getattr(tpi, kind)(size or threads, **options)
        self.parallel = address("tpi_pool_parallel")
        tpi.set_threadpool(self.pool)

    def latency(self, case: Case) -> Prepared | None:
        if self.pool.num_threads < 2:  # rendezvous tasks need a gang
            return None
        size, handle = self.pool.num_threads, self.pool.handle
        return Prepared(lambda n: native.latency(self.parallel, handle, size, case.idle, n),
                        times_itself=True)

    def skewed(self, case: Case) -> Prepared | None:
        unit, handle = skew_unit(case.microseconds, native.CHUNKS), self.pool.handle

        def run(count: int) -> np.ndarray:
            return np.array([native.skewed(self.parallel, handle, 1, "static", unit)
                             for _ in range(count)])

        return Prepared(run, times_itself=True)

    def peak(self, case: Case) -> Prepared | None:
        size, handle = self.pool.num_threads, self.pool.handle
        steps = 20_000

        def run(count: int) -> np.ndarray:
            seconds = [native.multiply_add_peak(self.parallel, handle, size, steps)
                       for _ in range(count)]
            return np.array(seconds) / size  # per task's worth of work

        return Prepared(run, times_itself=True)

    def _attr(self, case: Case) -> tpi.PrimitiveAttr:
        if case.bound == "execution":
            return tpi.PrimitiveAttr(max_num_threads=MAX_THREADS,
                                     decomposition="execution")
        return tpi.PrimitiveAttr(max_num_threads=case.bound)

    def gemm(self, case: Case) -> Prepared | None:
        a, b = gemm_operands(case.shape)
        mm = Matmul(a.shape, b.shape, attr=self._attr(case))
        packed, out = mm.pack_weights(b), np.empty((a.shape[0], b.shape[1]), np.float32)
        return Prepared(lambda: mm(a, packed, out=out), lambda y: y)

    def conv(self, case: Case) -> Prepared | None:
        shape = case.shape
        src, weights = conv_operands(shape)
        src = np.ascontiguousarray(src.transpose(0, 2, 3, 1))
        conv = Conv2d(src.shape, weights.shape, stride=(shape.sh, shape.sw), padding=shape.padding,
                      dilation=(shape.dh + 1, shape.dw + 1), groups=shape.g, layout="nhwc",
                      attr=self._attr(case))
        packed = conv.pack_weights(weights)
        out = np.empty(conv.descriptor.out_shape, np.float32)
        return Prepared(lambda: conv(src, packed, out=out), lambda y: y.transpose(0, 3, 1, 2))
