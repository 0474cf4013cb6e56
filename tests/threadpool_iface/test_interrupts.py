"""Ctrl-C during a region ends it: no further task starts, KeyboardInterrupt arrives once."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

SCRIPT = """
import os, signal, threading
from numba import cfunc
from threadpool_iface import EigenLikePool, OmpLikePool, parallel, threadpool


@cfunc("int32(voidptr, int32, int32)")
def task(ctx, ithr, nthr):
    x = 1.0 + ithr
    for _ in range({steps}):
        x = x * 0.999999 + 1e-6
    return 0 if x > 0.0 else 1

started = []
def python_task(ithr, nthr):
    started.append(ithr)
    parallel(1, task)

pool = {pool}
with threadpool(pool):
    parallel(1, task)  # compiled, and workers started
    threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
    try:
        {region}
    except KeyboardInterrupt:
        print("interrupted", len(started) < 4000)
    else:
        print("ran to its end")
    seen = []
    parallel(10, lambda i, n: seen.append(i))
    print(sorted(seen) == list(range(10)))
"""
POOLS = {
    "omp": "OmpLikePool(2)", "omp-dynamic": 'OmpLikePool(2, schedule="dynamic")',
    "parked": "OmpLikePool(2, blocktime=0)", "eigen": "EigenLikePool(2)", "none": "None",
}
#: About 20 ms a task, 40 s of them on two threads.
REGIONS = {"native": "parallel(4000, task)", "nested": "parallel(4000, python_task)"}


@pytest.mark.parametrize("region", REGIONS)
@pytest.mark.parametrize("pool", POOLS)
def test_ctrl_c_ends_a_long_region(pool, region):
    code = SCRIPT.format(pool=POOLS[pool], region=REGIONS[region], steps=20_000_000)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60,
                          check=False, env={**os.environ, "PYTHONWARNINGS": "ignore"})
    assert done.stdout == "interrupted True\nTrue\n", done.stderr


def test_ctrl_c_ends_a_primitive():
    code = """
import os, signal, threading
import numpy as np
from kernels import Matmul
from threadpool_iface import Decomposition, OmpLikePool, PrimitiveAttr, threadpool
m, n, k, batch = 512, 16, 8192, 8000  # about 3 s of work for an output of 260 MB
attr = PrimitiveAttr(max_num_threads=4096,
                     decomposition=Decomposition(("batch", "m", "n"), (4000, 1, 1)))
a = np.broadcast_to(np.ones((m, k), np.float32), (batch, m, k))
b = np.ones((k, n), np.float32)
small = Matmul((4, 4), (4, 4))
small(b[:4, :4], b[:4, :4])  # whatever has to be compiled is compiled here
mm = Matmul(a.shape, b.shape, attr=attr)
out = np.zeros((batch, m, n), np.float32)
with OmpLikePool(2) as pool, threadpool(pool):
    threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT)).start()
    try:
        mm(a, b, out=out)
    except KeyboardInterrupt:
        print("interrupted", out[-1, 0, 0] != k)
    print((small(b[:4, :4], b[:4, :4]) == 4).all())
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=100,
                          check=False)
    assert done.stdout == "interrupted True\nTrue\n", done.stderr
