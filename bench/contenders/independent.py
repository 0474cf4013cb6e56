"""Operations that do not need each other, on our pools: one after the other, or at once.

At once, each operation has a Python thread of its own, the calling thread included, with either one
pool for all or a pool each, every one as large as the machine.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

import threadpool_iface as tpi
from kernels import Conv2d, Matmul
from threadpool_iface.native import address

from .. import native
from ..cases import Case
from ..shapes.googlenet import BLOCKS
from .contender import Contender, Prepared

ROWS, FEATURES = 256, 512  # of the antirectifier's input

Operation = Callable[[], object]


class Independent(Contender):
    """`how` is "in turn", "one pool" or "own pools"."""

    def __init__(self, threads: int, kind: str, how: str) -> None:
        warnings.simplefilter("ignore", tpi.OversubscriptionWarning)
        self.threads, self.how = threads, how
        self._kind: type[tpi.ThreadpoolIface] = getattr(tpi, kind)
        self.pool = self._new_pool()
        tpi.set_threadpool(self.pool)

    def _new_pool(self) -> tpi.ThreadpoolIface:
        return self._kind(self.threads)

    def _runner(self, operations: Sequence[Operation]) -> Operation:
        first, *others = operations
        if self.how == "in turn":
            return lambda: [operation() for operation in operations]
        one = self.how == "one pool"
        # One executor for each operation: a thread, and so a pool, always gets the same work.
        executors = [ThreadPoolExecutor(1, initializer=lambda: tpi.set_threadpool(
            self.pool if one else self._new_pool())) for _ in others]

        def run() -> None:
            futures = [executor.submit(operation)
                       for executor, operation in zip(executors, others, strict=True)]
            first()
            for future in futures:
                future.result()

        return run

    def branches(self, case: Case) -> Prepared | None:
        """The convolutions of a block's four branches; its max pooling is left out."""
        channels, size, *outs = BLOCKS[case.body]
        src = _random(1, size, size, channels)
        one, reduce3, three, reduce5, five, projection = outs
        chains = [[(one, 1)], [(reduce3, 1), (three, 3)], [(reduce5, 1), (five, 5)],
                  [(projection, 1)]]
        built = [_chain(src, chain) for chain in chains]
        run = self._runner([operation for operation, _ in built])
        return Prepared(run, lambda _: np.concatenate([out for _, out in built], axis=-1))

    def antirectifier(self, case: Case) -> Prepared | None:
        """relu(x) and relu(-x) into the halves of one array, then its product with the weights."""
        x = _random(ROWS, FEATURES)
        both = np.empty((ROWS, 2 * FEATURES), np.float32)
        mm = Matmul(both.shape, (2 * FEATURES, FEATURES))
        weights, out = mm.pack_weights(_random(2 * FEATURES, FEATURES)), np.empty_like(x)
        relus = self._runner([self._rectifier(x, both[:, :FEATURES], 1.0),
                              self._rectifier(x, both[:, FEATURES:], -1.0)])

        def run() -> np.ndarray:
            relus()
            return mm(both, weights, out=out)

        return Prepared(run, lambda y: y)

    def _rectifier(self, x: np.ndarray, y: np.ndarray, sign: float) -> Operation:
        parallel, threads = address("tpi_pool_parallel"), self.threads

        def run() -> None:
            native.rectify(parallel, tpi.get_threadpool().handle, threads, x, y, sign)

        return run


def _random(*shape: int) -> np.ndarray:
    generator = np.random.default_rng(list(shape))
    return generator.standard_normal(shape, np.float32)


def _chain(src: np.ndarray, layers: Sequence[tuple[int, int]]) -> tuple[Operation, np.ndarray]:
    """A branch, and the array that it writes last."""
    steps = []
    for out_channels, taps in layers:
        shape = (out_channels, src.shape[3], taps, taps)
        scale = np.float32(np.prod(shape[1:])) ** -0.5
        conv = Conv2d(src.shape, shape, padding=taps // 2, layout="nhwc", post_ops=("relu",))
        out = np.empty(conv.descriptor.out_shape, np.float32)
        steps.append((conv, src, conv.pack_weights(scale * _random(*shape)), out))
        src = out

    def run() -> None:
        for conv, data, weights, out in steps:
            conv(data, weights, out=out)

    return run, src
