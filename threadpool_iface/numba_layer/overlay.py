"""The way in after numba has launched a layer, and the way out: other addresses for its names.

LLVM looks names up when it links a function, so what is linked from now on calls the new address.
What was linked before keeps the one it has.
"""

from __future__ import annotations

from ctypes import CFUNCTYPE, POINTER, c_int, c_uint
from typing import Any

#: Names of the generated code, by those of a layer's module.
_SYMBOLS = {"parallel_for": "numba_parallel_for", "get_num_threads": "get_num_threads",
            "set_num_threads": "set_num_threads", "get_thread_id": "get_thread_id",
            "get_sched_size": "get_sched_size"}

#: numba's Python side of some of them, with its own types.
_WRAPPERS = {
    "set_num_threads": CFUNCTYPE(None, c_int),
    "get_num_threads": CFUNCTYPE(c_int),
    "get_thread_id": CFUNCTYPE(c_int),
    "get_sched_size": CFUNCTYPE(c_uint, c_uint, c_uint, POINTER(c_int), POINTER(c_int)),
}


def set_do_raise(parallel: Any, address: int) -> None:
    """Let compiled code that is linked from now on raise its exceptions through this function."""
    parallel.ll.add_symbol("numba_do_raise", address)


def point_numba_at(parallel: Any, addresses: dict[str, int]) -> None:
    """Let numba's names mean these functions, for everything that is linked from now on."""
    for name, symbol in _SYMBOLS.items():
        parallel.ll.add_symbol(symbol, addresses[name])
    for name, kind in _WRAPPERS.items():
        setattr(parallel, f"_{name}", kind(addresses[name]))
