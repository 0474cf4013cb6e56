"""numba's own layer, told to the C core: what loops of threads without a pool run on."""

from __future__ import annotations

from typing import Any

from ..native import ffi, lib
from .names import check_layer

#: Functions of a layer's module that the C core calls.
_CALLED = ("parallel_for", "launch_threads", "set_num_threads", "get_num_threads",
           "get_thread_id", "get_sched_size", "get_parallel_chunksize")
_types = {name: kind.type for name, kind in ffi.typeof("tpi_numba_own").fields}

#: The functions that take the place of a layer's, by its names.
_OURS = ("parallel_for", "launch_threads", "set_num_threads", "get_num_threads", "get_thread_id",
         "get_sched_size")


def our_addresses() -> dict[str, int]:
    """The functions that take the place of a layer's, by the layer's names."""
    return {name: int(ffi.cast("uintptr_t", ffi.addressof(lib, f"tpi_numba_{name}")))
            for name in _OURS}


def set_own_layer(module: Any, *, launched: bool, max_threads: int) -> None:
    """Make `module` the layer that threads without a pool use.

    Raises
    ------
    UnsupportedError
        It lacks a function.
    """
    check_layer(module)
    own = ffi.new("tpi_numba_own *", {
        **{name: ffi.cast(_types[name], getattr(module, name)) for name in _CALLED},
        "launched": launched,
        # It ends the process when two threads, or a loop in a loop, call it at once.
        "one_at_a_time": module.__name__.endswith("workqueue"),
        "max_threads": max_threads,
    })
    python = ffi.new("tpi_numba_python *", {
        name: ffi.addressof(lib, f"tpi_numba_{name}")
        for name in ("failed", "take_exception", "raise", "discard")
    })
    lib.tpi_numba_set_own(own, python)
