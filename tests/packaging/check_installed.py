"""Run by an environment that has only the wheel, outside the checkout: what a user gets."""

import ctypes
import importlib.metadata
import importlib.util
import os
import sys
import threading

import threadpool_iface

assert "numba" not in sys.modules, "importing threadpool_iface imports numba"
assert threading.active_count() == len(os.listdir("/proc/self/task")) == 1, "a thread was started"
files = {str(f) for f in importlib.metadata.files("threadpool-iface")}
for wanted in ("threadpool_iface/py.typed", "kernels/py.typed", "LICENSE",
               "threadpool_iface/native/include/threadpool_iface.h",
               "threadpool_iface/native/include/threadpool_iface_dnnl.hpp",
               "threadpool_iface/native/include/threadpool_iface_pthreadpool.h"):
    assert any(f.endswith(wanted) for f in files), f"{wanted} is not in the wheel"
for unwanted in ("bench/", "tests/", "setup.py", "threadpool_iface/native/src/"):
    assert not any(f.startswith(unwanted) for f in files), f"{unwanted} is in the wheel"
assert importlib.util.find_spec("bench") is None
assert os.path.exists(os.path.join(threadpool_iface.get_include(), "threadpool_iface.h"))
assert importlib.metadata.version("threadpool-iface") == threadpool_iface.__version__

import numpy as np  # noqa: E402

import threadpool_iface.openmp_layer  # noqa: E402
from kernels import Matmul  # noqa: E402

a = np.eye(70, dtype=np.float32)
with threadpool_iface.OmpLikePool(2) as pool, threadpool_iface.threadpool(pool):
    assert (Matmul(a.shape, a.shape)(a, a) == a).all()
assert ctypes.CDLL(threadpool_iface.openmp_layer.path()).omp_get_num_procs() >= 1
(extension,) = (e for e in importlib.metadata.entry_points(group="numba_extensions")
                if e.module == "threadpool_iface.nopython")
extension.load()()
print("the installed wheel works")
