"""The OpenMP runtimes of this process, and how many threads they give to one of its threads.

PyTorch's MKL runs its regions on such a runtime, but counts their threads itself:
`torch.set_num_threads` sets a number for the process, which precedes the runtime's for the thread.
MKL's number for the thread precedes both, so it is set too.
"""

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
    #: The members of a region; `get` may tell more.
    members: Callable[[], int]


#: Sets MKL's number of threads for the thread that calls it, 0 for none, and returns what it was.
_SetMKL = Callable[[int], int]


class _Found(NamedTuple):
    """What sets counts in this process."""

    #: How many libraries had been loaded when these were looked for.
    loads: int = -1
    runtimes: tuple[_Runtime, ...] = ()
    mkl: tuple[_SetMKL, ...] = ()


class Counts(NamedTuple):
    """What the thread had; of MKL, what `set_counts` found."""

    #: Of each runtime, how many threads it gave.
    runtimes: tuple[tuple[_Runtime, int], ...]
    #: MKL tells its number only when another is set, so the list is empty until then.
    mkl: tuple[tuple[_SetMKL, list[int]], ...]


_found = _Found()


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
        get = members = library.omp_get_max_threads
        set_ = library.omp_set_num_threads
        if _is_ours(path):  # an upper limit there, so that a smaller pool stays as small as it is
            get, set_ = library.tpi_gomp_number, library.tpi_gomp_set_number
    except (OSError, AttributeError):
        return None
    get.argtypes, get.restype, set_.argtypes, set_.restype = [], c_int, [c_int], None
    return _Runtime(get, set_, members)


def _has_mkl(path: str) -> bool:
    """PyTorch's library, which contains MKL or depends on it."""
    return os.path.basename(path).startswith("libtorch_cpu.")


def _open_mkl(path: str) -> _SetMKL | None:
    from ctypes import CDLL, c_int

    try:
        set_ = CDLL(path, mode=os.RTLD_NOLOAD | os.RTLD_LAZY).MKL_Set_Num_Threads_Local
    except (OSError, AttributeError):  # PyTorch may be built without MKL
        return None
    set_.argtypes, set_.restype = [c_int], c_int
    return set_


def _now() -> _Found:
    global _found
    loads = lib.tpi_libraries_loaded()
    if _found.loads != loads:
        paths = loaded_libraries()
        runtimes = [_open(path) for path in paths if kind(path) or _is_ours(path)]
        mkl = [_open_mkl(path) for path in paths if _has_mkl(path)]
        _found = _Found(loads, tuple(filter(None, runtimes)), tuple(filter(None, mkl)))
    return _found


def counts_now() -> Counts:
    """The threads that regions of the calling thread get."""
    # PyTorch sets the runtime's number when a thread asks for the first time: not later, then.
    with suppress(Exception):
        sys.modules["torch"].get_num_threads()
    found = _now()
    return Counts(tuple((runtime, runtime.get()) for runtime in found.runtimes),
                  tuple((set_, []) for set_ in found.mkl))


def set_counts(before: Counts, num_threads: int, *, at_most: bool = False) -> None:
    """Give regions of the calling thread so many, on each of these runtimes and by MKL.

    With `at_most`, a runtime that gives fewer goes on to.
    """
    for runtime, _ in before.runtimes:
        runtime.set(min(num_threads, runtime.members()) if at_most else num_threads)
    for set_mkl, local in before.mkl:
        # One call in C, between whose steps no Ctrl-C can come: what it was is not lost.
        local.extend(map(set_mkl, (num_threads,)))


def restore_counts(before: Counts) -> None:
    """Give them what they had; may be called again."""
    for runtime, count in before.runtimes:
        runtime.set(count)
    for set_mkl, local in before.mkl:
        for count in reversed(local):
            set_mkl(count)
