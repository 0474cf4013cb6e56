"""OpenBLAS on the active pool: NumPy's and SciPy's products and factorisations on your threads.

    from threadpool_iface import OmpLikePool, blas_layer, threadpool

    blas_layer.install()
    with threadpool(OmpLikePool(4)):
        a @ b                          # its 4 jobs are a gang on the pool

OpenBLAS splits a call by one number for the whole process, before anybody is asked. So while the
layer is installed that number is the size of the smallest pool that any thread has made active:
one while a thread is sequential, or has a pool that cannot run tasks together. Threads that never
chose a pool, where there is no default one, stay on OpenBLAS's own threads.
"""

from .layer import counts, install, installed, limited, uninstall
from .libraries import Library, libraries

__all__ = ["Library", "counts", "install", "installed", "libraries", "limited", "uninstall"]
