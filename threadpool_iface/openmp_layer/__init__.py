"""OpenMP on the active pool: PyTorch, scikit-learn, LightGBM, XGBoost and faiss on your threads.

    from threadpool_iface import OmpLikePool, openmp_layer, threadpool

    openmp_layer.install()             # before the first import of such a package
    import torch

    with threadpool(OmpLikePool(4)):
        a @ b                          # its OpenMP regions are teams on the pool

A native library with libgomp's functions is loaded before libgomp, so packages that are imported
later call it. A region of a thread that has an active pool, or of any thread where there is a
default one, runs there; without a pool the call goes on to the libgomp that the package brings.
docs/openmp.md has the rules.
"""

from .layer import Calls, Counts, counts, install, installed, limited, uninstall
from .library import not_redirected, path

__all__ = [
    "Calls",
    "Counts",
    "counts",
    "install",
    "installed",
    "limited",
    "not_redirected",
    "path",
    "uninstall",
]
