"""Every kind of pool, by name, for tests that hold for all of them."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from threadpool_iface import (
    EigenLikePool,
    ExecutorPool,
    OmpLikePool,
    OpenMPPool,
    SequentialPool,
    ThreadpoolIface,
)


class ThreadPerTask(ThreadpoolIface):
    """A pool written in Python, as simple as can be."""

    @property
    def num_threads(self) -> int:
        return 4

    def parallel_for(self, n, fn):
        threads = [threading.Thread(target=fn, args=(i, n)) for i in range(n)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


NATIVE = {
    "sequential": SequentialPool,
    "omp-1": partial(OmpLikePool, 1),
    "omp-2": partial(OmpLikePool, 2),
    "omp-8": partial(OmpLikePool, 8),
    "omp-30": partial(OmpLikePool, 30),
    "omp-dynamic": partial(OmpLikePool, 3, schedule="dynamic"),
    "omp-parked": partial(OmpLikePool, 3, blocktime=0),
    "eigen-1": partial(EigenLikePool, 1),
    "eigen-2": partial(EigenLikePool, 2),
    "eigen-8": partial(EigenLikePool, 8),
    "eigen-parked": partial(EigenLikePool, 3, blocktime=0),
    "eigen-asynchronous": partial(EigenLikePool, 3, asynchronous=True, stats=True),
    "libgomp": partial(OpenMPPool, 3, runtime="libgomp"),
    "libgomp-dynamic": partial(OpenMPPool, 2, runtime="libgomp", schedule="dynamic"),
}
ALL = {
    **NATIVE,
    "python": ThreadPerTask,
    "executor": lambda: ExecutorPool(ThreadPoolExecutor(3)),
}
