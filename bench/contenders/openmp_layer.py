"""PyTorch and other users of OpenMP on libgomp's own threads, or on one of our pools.

There numba's loops and NumPy's BLAS run on that pool, too; else on their own threads.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np

import threadpool_iface as tpi
from threadpool_iface import blas_layer, openmp_layer

from .. import packages
from ..cases import Case
from .callers import Callers, timed
from .contender import Contender, Prepared

#: Of a block.
SECONDS = 0.15
MOST_CALLS, LEAST_CALLS = 2000, 3


class OpenMPLayer(Contender):
    """`kind` is one of our pools, or empty for everybody's own threads."""

    def __init__(self, threads: int, kind: str) -> None:
        warnings.simplefilter("ignore")
        if kind:
            openmp_layer.install()
            tpi.set_default_threadpool(getattr(tpi, kind)(threads))
            blas_layer.install()
        self._kind, self._threads = kind, threads
        self._made: dict[str, Callable[[], object]] = {}
        self._callers = Callers()

    def openmp(self, case: Case) -> Prepared | None:
        """A call's seconds; `body` names the work, or several that are done in turn: "a + b"."""
        parts = [self._work(name) for name in case.body.split(" + ")]

        def call() -> None:
            for part in parts:
                part()

        call()
        once = timed(call, 3).min()
        block = int(np.clip(SECONDS / once / case.tasks, LEAST_CALLS, MOST_CALLS))
        return Prepared(lambda count: self._callers.timed([call] * case.tasks, count),
                        times_itself=True, block=block)

    def _work(self, name: str) -> Callable[[], object]:
        if name not in self._made:
            makers = {"numpy": _numpy, "torch mm": _torch_mm, "torch conv": _torch_conv,
                      "torch relu": _torch_relu, "torch sum": _torch_sum, "matmul": self._matmul,
                      "prange": self._prange, "one stream": lambda: _streams(1),
                      "two streams": lambda: _streams(2)}
            make = makers.get(name)
            self._made[name] = make() if make else packages.work_of(name)
        return self._made[name]

    def _matmul(self) -> Callable[[], object]:
        from kernels import Matmul

        a = np.random.default_rng(0).random((256, 256), np.float32)
        out, primitive = np.empty_like(a), Matmul(a.shape, a.shape)
        if not self._kind:  # it has to run somewhere
            tpi.set_default_threadpool(tpi.OmpLikePool(self._threads))
        return lambda: primitive(a, a, out=out)

    def _prange(self) -> Callable[[], object]:
        from numba import njit, prange

        if self._kind:
            from threadpool_iface import numba_layer

            numba_layer.install()

        @njit(parallel=True)
        def scale(x: np.ndarray, out: np.ndarray) -> None:
            for i in prange(x.size):
                out[i] = x[i] * 2.0 + 1.0

        x = np.ones(100_000)
        out = np.empty_like(x)
        return lambda: scale(x, out)


def _numpy() -> Callable[[], object]:
    a = np.random.default_rng(0).random((256, 256), np.float32)
    out = np.empty_like(a)
    return lambda: np.matmul(a, a, out=out)


def _torch_mm() -> Callable[[], object]:
    import torch

    a, out = torch.randn(256, 256), torch.empty(256, 256)
    return lambda: torch.mm(a, a, out=out)


def _torch_conv() -> Callable[[], object]:
    import torch

    layer, image = torch.nn.Conv2d(64, 64, 3, padding=1), torch.randn(1, 64, 56, 56)
    layer.requires_grad_(False)
    return lambda: layer(image)


def _torch_relu() -> Callable[[], object]:
    import torch

    x, out = torch.randn(1_000_000), torch.empty(1_000_000)
    return lambda: torch.clamp(x, min=0, out=out)


def _torch_sum() -> Callable[[], object]:
    import torch

    x = torch.randn(1_000_000)
    return lambda: x.sum()


#: Input and output channels, kernel and size of ResNet-50's convolutions, one of each sort.
RESNET_50 = ((64, 64, 3, 56), (64, 256, 1, 56), (128, 128, 3, 28), (128, 512, 1, 28),
             (256, 256, 3, 14), (256, 1024, 1, 14), (512, 512, 3, 7), (512, 2048, 1, 7))


def _streams(count: int) -> Callable[[], object]:
    """A batch of 8 through these, over so many streams, which share the cores."""
    import torch

    torch.manual_seed(0)
    layers = [torch.nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2).requires_grad_(False)
              for inputs, outputs, kernel, _ in RESNET_50]
    batches = tuple(torch.randn(8, inputs, size, size) for inputs, _, _, size in RESNET_50)

    def convolve(*parts: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return tuple(torch.relu(layer(part)).mean((2, 3))
                     for layer, part in zip(layers, parts, strict=True))

    stream = tpi.MultiStream(convolve, count, tpi.CPUPool())
    return lambda: stream(*batches)
