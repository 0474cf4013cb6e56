"""The C core for nopython code: its functions as numba external functions, by symbol name.

Names, not addresses, so that code calling them can be cached on disk. numba calls `init` through
its extension entry point before it links anything, so a function loaded from the cache works even
when it is the first thing a process runs. Only this module of the package imports numba's parts,
and only when asked.

Call the `tpi_` functions from functions compiled with `nogil=True`: a region entered with the GIL
held deadlocks as soon as one of its tasks needs it. `parallel_for` and its like, which `init` makes
known to numba as well, release the GIL themselves.
"""

from __future__ import annotations

from llvmlite import binding
from numba.core import types

from .native import ffi, lib
from .numba_layer.installing import install_if_asked

_SYMBOLS = ("tpi_parallel", "tpi_pool_parallel", "tpi_pool_run_together", "tpi_barrier",
            "tpi_in_parallel", "tpi_max_threads", "tpi_nopython_parallel", "tpi_nopython_for",
            "tpi_nopython_keep_error", "tpi_nopython_raise_kept", "tpi_nopython_raise_code")


def init() -> None:
    """numba's extension entry point: symbols, regions, and the layer if the environment asks."""
    add_symbols()
    from .user_kernels import nopython_calls  # noqa: F401 - importing registers them

    install_if_asked()


def add_symbols() -> None:
    """Make the symbols known to LLVM in this process. Idempotent."""
    for name in _SYMBOLS:
        binding.add_symbol(name, int(ffi.cast("uintptr_t", ffi.addressof(lib, name))))


add_symbols()

_I32, _ADDRESS = types.int32, types.int64

#: `int32(int32 nthr, address task, address ctx)`: a region on the effective pool.
tpi_parallel = types.ExternalFunction("tpi_parallel", _I32(_I32, _ADDRESS, _ADDRESS))
#: `int32(address pool, int32 nthr, address task, address ctx)`; pool 0: inline.
tpi_pool_parallel = types.ExternalFunction(
    "tpi_pool_parallel", _I32(_ADDRESS, _I32, _ADDRESS, _ADDRESS)
)
#: `int32(address pool, int32 n, address task, address ctx)`: a gang.
tpi_pool_run_together = types.ExternalFunction(
    "tpi_pool_run_together", _I32(_ADDRESS, _I32, _ADDRESS, _ADDRESS)
)
#: `int32()`: the barrier of the gang that the calling task belongs to.
tpi_barrier = types.ExternalFunction("tpi_barrier", _I32())
tpi_in_parallel = types.ExternalFunction("tpi_in_parallel", _I32())
tpi_max_threads = types.ExternalFunction("tpi_max_threads", _I32())
