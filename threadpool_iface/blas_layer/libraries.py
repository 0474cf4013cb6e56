"""Which BLAS libraries this process has loaded, and what can be done with each."""

from __future__ import annotations

import ctypes
import os
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import product
from typing import Any

#: What a library is called, by the beginning of its file's name. Wheels add a hash to the name.
_NAMES = re.compile(r"lib(?:scipy_)?(openblas|mkl_rt|blis|flexiblas)")
_TITLES = {"openblas": "OpenBLAS", "mkl_rt": "MKL", "blis": "BLIS", "flexiblas": "FlexiBLAS"}
#: scipy-openblas wheels put these around OpenBLAS's names; not around all of them.
_PREFIXES, _SUFFIXES = ("", "scipy_"), ("", "64_", "_64")
#: (set, get): how many threads the others use.
_THREAD_FUNCTIONS = {
    "openblas": ("openblas_set_num_threads", "openblas_get_num_threads"),
    "mkl_rt": ("MKL_Set_Num_Threads", "MKL_Get_Max_Threads"),
    "blis": ("bli_thread_set_num_threads", "bli_thread_get_num_threads"),
    "flexiblas": ("flexiblas_set_num_threads", "flexiblas_get_num_threads"),
}
_REDIRECTION = {
    "set_callback": "openblas_set_threads_callback_function",
    "exec_async": "exec_blas_async",
    "exec_wait": "exec_blas_async_wait",
    "set_num_threads": "openblas_set_num_threads",
    "get_num_threads": "openblas_get_num_threads",
    "own_threads": "blas_num_threads",
}
_PTHREADS = 1  # what openblas_get_parallel answers


@dataclass(frozen=True)
class Library:
    """A BLAS library of this process.

    Attributes
    ----------
    name : str
        OpenBLAS, MKL, BLIS or FlexiBLAS.
    path : str
        Its file.
    version : str
        As it says itself; empty if it does not.
    reason : str
        Why its jobs cannot be run on a pool; empty if they can.
    num_threads : int
        Threads that its next call would use.
    """

    name: str
    path: str
    version: str
    reason: str
    num_threads: int
    _set: Callable[[int], Any] | None = field(repr=False, compare=False)
    _addresses: dict[str, int] = field(repr=False, compare=False)

    @property
    def redirectable(self) -> bool:
        """Whether its jobs can be run on a pool."""
        return not self.reason

    def __str__(self) -> str:
        can = self.reason or "can run on a pool"
        return f"{self.name} {self.version} ({self.path}): {can}"


def libraries() -> list[Library]:
    """The BLAS libraries that this process has loaded, those that cannot be redirected included."""
    with open("/proc/self/maps", encoding="utf-8", errors="surrogateescape") as maps:
        paths = {line.split(maxsplit=5)[5].strip() for line in maps if line.count("/")}
    found = [_look_at(path) for path in sorted(paths)]
    return [library for library in found if library is not None]


def _look_at(path: str) -> Library | None:
    named = _NAMES.match(os.path.basename(path))
    if named is None or ".so" not in path:
        return None
    try:
        binary = ctypes.CDLL(path, mode=os.RTLD_NOLOAD | os.RTLD_LAZY)
    except OSError:  # deleted or replaced since it was loaded
        return None
    kind = named[1]
    setter, getter = (_function(binary, name) for name in _THREAD_FUNCTIONS[kind])
    version, reason = "", f"{_TITLES[kind]} takes no foreign threads"
    addresses: dict[str, int] = {}
    if kind == "openblas":
        version, reason, addresses = _look_at_openblas(binary)
    return Library(_TITLES[kind], path, version, reason, getter() if getter else 0, setter,
                   addresses)


def _look_at_openblas(binary: ctypes.CDLL) -> tuple[str, str, dict[str, int]]:
    config = _config(binary)
    version = re.search(r"OpenBLAS ([\d.]+)", config)
    addresses = {key: _address(binary, name) for key, name in _REDIRECTION.items()}
    most = re.search(r"MAX_THREADS=(\d+)", config)
    addresses["max_threads"] = int(most[1]) if most else 0
    return version[1] if version else "", _obstacle(binary, addresses), addresses


def _obstacle(binary: ctypes.CDLL, addresses: dict[str, int]) -> str:
    parallel = _function(binary, "openblas_get_parallel")
    layer = parallel() if parallel else _PTHREADS
    if layer != _PTHREADS:
        return ("built for OpenMP, whose threads it uses (OpenMPPool runs on the same ones)"
                if layer else "built without threads")
    if not addresses["set_callback"]:
        return f"it has no {_REDIRECTION['set_callback']}, which came with OpenBLAS 0.3.28"
    missing = [_REDIRECTION.get(key, "MAX_THREADS in its configuration")
               for key, address in addresses.items() if not address]
    if missing:
        return f"it does not show {', '.join(missing)}"
    return _shortage(addresses)


def _shortage(addresses: dict[str, int]) -> str:
    """Its own threads have numbers; of those that are left one is kept for calls on them."""
    own = ctypes.c_int.from_address(addresses["own_threads"]).value
    most = addresses["max_threads"]
    if most - own >= min(2, own):
        return ""
    return (f"its own {own} threads leave no numbers for others of the {most} it was built with: "
            f"start Python with OPENBLAS_NUM_THREADS={most // 2} or less")


def _config(binary: ctypes.CDLL) -> str:
    function = _function(binary, "openblas_get_config")
    if function is None:
        return ""
    function.restype = ctypes.c_char_p
    return bytes(function() or b"").decode()


def _function(binary: ctypes.CDLL, name: str) -> Any:
    for prefix, suffix in product(_PREFIXES, _SUFFIXES):
        function = getattr(binary, prefix + name + suffix, None)
        if function is not None:
            return function
    return None


def _address(binary: ctypes.CDLL, name: str) -> int:
    function = _function(binary, name)
    return 0 if function is None else ctypes.cast(function, ctypes.c_void_p).value or 0
