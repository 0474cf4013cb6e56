"""Our pools and kernels: weights packed beforehand, results written to memory kept for them."""

from __future__ import annotations

import atexit
import os
import warnings
from math import prod
from shutil import rmtree
from tempfile import mkdtemp

import numpy as np

import threadpool_iface as tpi
from kernels import Conv2d, Matmul, cache_clear, calibration, costs
from threadpool_iface.arguments import MAX_THREADS
from threadpool_iface.native import address, ffi

from .. import native
from ..cases import Case, conv_operands, gemm_operands
from ..native.peers import Peer
from .contender import Prepared
from .native_pool import NativePool


def _pool(kind: str, size: int, schedule: str | None = None) -> tpi.ThreadPool:
    if kind == "SequentialPool":
        return tpi.SequentialPool()
    options = {} if schedule is None else {"schedule": schedule}
    return getattr(tpi, kind)(size, **options)


class Ours(NativePool):
    """One of our pools; `second` is the kind of another that takes turns with it."""

    def __init__(
        self, threads: int, kind: str, schedule: str | None = None, size: int | None = None,
        second: str | None = None,
    ) -> None:
        warnings.simplefilter("ignore", tpi.OversubscriptionWarning)
        self.pool = _pool(kind, size or threads, schedule)
        self.threads = self.pool.num_threads
        self._measured: costs.Costs | None = None
        self._memory = np.empty(1 << 23, np.float32)
        # What an earlier run found would make this one's search look free.
        os.environ["THREADPOOL_IFACE_CACHE_DIR"] = mkdtemp(prefix="threadpool-iface-bench-")
        atexit.register(rmtree, os.environ["THREADPOOL_IFACE_CACHE_DIR"], ignore_errors=True)
        self._other = second and _pool(second, self.threads)
        self.second = self._other.handle if self._other else 0
        tpi.set_threadpool(self.pool)

    def gang(self) -> Peer:
        return Peer(address("tpi_pool_parallel"), self.pool.handle)

    def barrier_overhead(self, case: Case) -> Prepared | None:
        """Only tasks of a gang may meet."""
        return self._barriers(Peer(address("tpi_pool_run_together"), self.pool.handle,
                                   address("tpi_barrier")))

    def python_call(self, case: Case) -> Prepared | None:
        task = ffi.cast("tpi_task", native.empty_task())
        return Prepared(lambda: tpi.parallel(2, task))

    def peak(self, case: Case) -> Prepared | None:
        size, handle = self.pool.num_threads, self.pool.handle
        parallel, steps = self.gang().parallel, native.PEAK_STEPS

        def run(count: int) -> np.ndarray:
            seconds = [native.multiply_add_peak(parallel, handle, size, steps)
                       for _ in range(count)]
            return np.array(seconds) / size  # per task's worth of work

        return Prepared(run, times_itself=True)

    def _attr(self, case: Case) -> tpi.PrimitiveAttr:
        if case.bound == "execution":
            return tpi.PrimitiveAttr(max_num_threads=MAX_THREADS,
                                     decomposition="execution")
        tuning = "search" if case.tuning == "search" else "model"
        return tpi.PrimitiveAttr(max_num_threads=case.bound, tuning=tuning)

    def _costs(self, case: Case) -> costs.Costs:
        if case.tuning != "calibrated":
            return costs.DEFAULT
        if self._measured is None:
            self._measured = costs.checked(calibration.measure()["costs"])
        return self._measured

    def gemm(self, case: Case) -> Prepared | None:
        a, b = gemm_operands(case.shape)
        mm = Matmul(a.shape, b.shape, attr=self._attr(case))
        packed, out = mm.pack_weights(b), np.empty((a.shape[0], b.shape[1]), np.float32)
        return Prepared(lambda: mm(a, packed, out=out), lambda y: y)

    def conv(self, case: Case) -> Prepared | None:
        shape = case.shape
        src, weights = conv_operands(shape)
        src = np.ascontiguousarray(src.transpose(0, 2, 3, 1))
        cache_clear()  # equal attributes, made under other costs, would be found there
        with costs.using(self._costs(case)):
            conv = Conv2d(src.shape, weights.shape, stride=(shape.sh, shape.sw),
                          padding=shape.padding, dilation=(shape.dh + 1, shape.dw + 1),
                          groups=shape.g, layout="nhwc", attr=self._attr(case))
        packed = conv.pack_weights(weights)
        out = self._memory_for(conv.descriptor.out_shape)
        return Prepared(lambda: conv(src, packed, out=out), lambda y: y.transpose(0, 3, 1, 2))

    def _memory_for(self, shape: tuple[int, ...]) -> np.ndarray:
        """The results of all layers, since peers' allocators give them the same memory too."""
        size = prod(shape)
        if size > self._memory.size:
            self._memory = np.empty(size, np.float32)
        return self._memory[:size].reshape(shape)
