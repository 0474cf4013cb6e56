"""The OpenMP runtimes of this process, and how many threads they give to one of its threads."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple

from .native import lib


class _Runtime(NamedTuple):
    """A runtime's functions about the regions of the thread that calls them."""

    get: Callable[[], int]
    set: Callable[[int], object]


#: Of each runtime, how many threads it gave.
Counts = tuple[tuple[_Runtime, int], ...]

#: How many libraries had been loaded when the runtimes were looked for, and these.
_found: tuple[int, tuple[_Runtime, ...]] = (-1, ())


def kind(path: str) -> str:
    """libgomp, libiomp5 or libomp, also of a bundled file (libgomp-a34b3233.so.1); else empty."""
    found = re.match(r"(libgomp|libiomp5|libomp)\b", os.path.basename(path).replace("-", "."))
    return found[1] if found else ""


def loaded_libraries() -> list[str]:
    """Paths of the shared libraries in this process."""
    with open("/proc/self/maps", encoding="utf-8", errors="surrogateescape") as maps:
        paths = {line.split(maxsplit=5)[5].strip() for line in maps if line.count("/")}
    return sorted(path for path in paths if ".so" in path)


def loaded_runtimes() -> list[str]:
    """Paths of the OpenMP runtimes in this process."""
    return [path for path in loaded_libraries() if kind(path)]


def _is_ours(path: str) -> bool:
    """The OpenMP layer's library, which counts threads as a runtime does."""
    return os.path.basename(path).startswith("_gomp.")


def _open(path: str) -> _Runtime | None:
    from ctypes import CDLL, c_int  # not needed by who only imports the package

    try:
        library = CDLL(path, mode=os.RTLD_NOLOAD | os.RTLD_LAZY)
        get = library.omp_get_max_threads
        # An upper limit there, so that a pool of fewer threads stays as small as it is.
        set_ = library.tpi_gomp_limit if _is_ours(path) else library.omp_set_num_threads
    except (OSError, AttributeError):
        return None
    get.argtypes, get.restype, set_.argtypes, set_.restype = [], c_int, [c_int], None
    return _Runtime(get, set_)


def _runtimes() -> tuple[_Runtime, ...]:
    global _found
    loads = lib.tpi_libraries_loaded()
    if _found[0] != loads:
        paths = [path for path in loaded_libraries() if kind(path) or _is_ours(path)]
        _found = (loads, tuple(filter(None, map(_open, paths))))
    return _found[1]


def counts_now() -> Counts:
    """The threads that regions of the calling thread get."""
    # PyTorch sets the runtime's number when a thread asks for the first time: not later, then.
    with suppress(Exception):
        sys.modules["torch"].get_num_threads()
    return tuple((runtime, runtime.get()) for runtime in _runtimes())


def set_counts(before: Counts, num_threads: int) -> None:
    """Give regions of the calling thread so many, on each of these runtimes."""
    for runtime, _ in before:
        runtime.set(num_threads)


def restore_counts(before: Counts) -> None:
    """Give them what they had; may be called again."""
    for runtime, count in before:
        runtime.set(count)
