"""The native library with libgomp's functions, and whether it came before libgomp."""

from __future__ import annotations

import ctypes
import os
import sys
from functools import cache
from pathlib import Path

from ..errors import UnsupportedError
from ..openmp_runtimes import kind, loaded_libraries


@cache
def path() -> str:
    """Of the library, for LD_PRELOAD and the like.

    Raises
    ------
    UnsupportedError
        It was not built.
    """
    folder = Path(__file__).resolve().parent.parent / "native"
    found = sorted(folder.glob("_gomp*.so"))
    if not found:
        raise UnsupportedError(f"the OpenMP library is not in {folder}; install the package anew")
    return str(found[-1])


def load() -> ctypes.CDLL:
    """Load it in front of what is loaded later, or find it where it is already.

    Raises
    ------
    UnsupportedError
        The loader refuses it, for want of thread-local memory perhaps, which is given to libraries
        in the order in which they come.
    """
    try:
        library = ctypes.CDLL(path(), mode=os.RTLD_GLOBAL | os.RTLD_NOW)
    except OSError as error:
        raise UnsupportedError(f"the OpenMP library cannot be loaded: {error}; if memory is what "
                               "it lacks, call openmp_layer.install() earlier") from error
    library.tpi_gomp_attach.argtypes = [ctypes.c_void_p]
    library.tpi_gomp_attach.restype = ctypes.c_int
    library.tpi_gomp_caller.argtypes = [ctypes.c_int32, ctypes.POINTER(ctypes.c_uint64)]
    library.tpi_gomp_caller.restype = ctypes.c_char_p
    library.tpi_gomp_refused.argtypes = []
    library.tpi_gomp_refused.restype = ctypes.c_char_p
    library.tpi_gomp_extra_threads.argtypes = []
    library.tpi_gomp_extra_threads.restype = ctypes.c_int32
    return library


def is_loaded() -> bool:
    """Whether this process has it, by `load` or by LD_PRELOAD."""
    return path() in loaded_libraries()


def not_redirected() -> list[str]:
    """The other OpenMP runtimes of this process (LLVM's libomp, Intel's libiomp5), by path.

    Packages that call them keep the threads that these bring. `limited` bounds those.
    """
    return [file for file in loaded_libraries() if kind(file) in ("libomp", "libiomp5")]


def libgomps_before() -> list[str]:
    """The libgomps that were loaded without it, each with the packages that brought it."""
    if is_loaded():
        return []
    return [f"{file}{_brought_by(file)}" for file in loaded_libraries() if kind(file) == "libgomp"]


#: Packages whose distribution has another name, by which wheels call the folder of their libraries.
_DISTRIBUTIONS = {"sklearn": "scikit_learn", "faiss": "faiss_cpu"}


def _brought_by(file: str) -> str:
    """The packages, imported so far, in or beside whose folder the file is."""
    packages = []
    for name, module in sorted(sys.modules.items()):
        at = getattr(module, "__file__", None)
        if "." in name or not at or not at.endswith("__init__.py"):
            continue
        folder = os.path.dirname(at)
        libraries = os.path.join(os.path.dirname(folder), f"{_DISTRIBUTIONS.get(name, name)}.libs")
        if file.startswith((folder + os.sep, libraries + os.sep)):
            packages.append(name)
    return f" (of {', '.join(packages)})" if packages else ""
