"""Other runtimes behind the signature of our pools, built when their headers or libraries exist."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable
from ctypes.util import find_library
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path

from .build import has_header, shared_library

EIGEN = ("-isystem", "/usr/include/eigen3", "-isystem", "/usr/local/include/eigen3")
EIGEN_HEADER = "unsupported/Eigen/CXX11/ThreadPool"
#: What to install for each runtime.
INSTALL = {"tbb": "libtbb-dev", "eigen": "libeigen3-dev", "libomp": "libomp-dev",
           "libiomp5": "intel-openmp"}


@dataclass(frozen=True)
class Peer:
    """A made pool: what the C bodies call, and with what.

    Attributes
    ----------
    parallel, handle
        Addresses of the function that runs a region, and of its pool.
    barrier
        Address of a barrier for tasks of a region that has one for each thread; 0: it has none.
    cost
        Tells the runtime how many cycles a task takes; None: it does not want to know.
    """

    parallel: int
    handle: int
    barrier: int = 0
    cost: Callable[[float], None] | None = None


def _address(library: ctypes.CDLL, name: str) -> int:
    return ctypes.cast(getattr(library, name), ctypes.c_void_p).value or 0


def _made(library: ctypes.CDLL, make: str, *arguments: object) -> int:
    function = getattr(library, make)
    function.restype = ctypes.c_void_p
    handle = function(*arguments)
    if not handle:
        raise RuntimeError(f"{make} failed")
    return int(handle)


def gomp(threads: int, dynamic: bool = False) -> Peer:
    """The OpenMP of the compiler that builds the bodies."""
    library = ctypes.CDLL(str(shared_library("gomp_pool.c", "-fopenmp")))
    return Peer(_address(library, "gomp_parallel"), _made(library, "gomp_make", threads, dynamic),
                _address(library, "gomp_barrier"))


def kmp(runtime: str, threads: int, dynamic: bool = False) -> Peer:
    """LLVM's ("libomp") or Intel's ("libiomp5") OpenMP: one of them in a process."""
    library = ctypes.CDLL(str(shared_library("kmp_pool.c", "-ldl")))
    path = openmp_path(runtime).encode()
    return Peer(_address(library, "kmp_parallel"),
                _made(library, "kmp_make", path, threads, dynamic),
                _address(library, "kmp_barrier"))


def tbb(threads: int, automatic: bool = False) -> Peer:
    """An arena of oneTBB; `automatic` is the partitioner, else every task is split off."""
    library = ctypes.CDLL(str(shared_library("tbb_pool.cpp", "-ltbb")))
    return Peer(_address(library, "tbb_parallel"), _made(library, "tbb_make", threads, automatic))


def _eigen() -> ctypes.CDLL:
    return ctypes.CDLL(str(shared_library("eigen_pool.cpp", *EIGEN, "-pthread")))


def eigen_gang(threads: int) -> Peer:
    """Eigen's pool with one worker less than threads, and the caller."""
    library = _eigen()
    return Peer(_address(library, "eigen_gang_parallel"),
                _made(library, "eigen_gang_make", threads))


def eigen_loop(threads: int) -> Peer:
    """Eigen's parallelFor, which splits by cost, on as many workers as threads."""
    library = _eigen()
    handle = _made(library, "eigen_loop_make", threads)

    def cost(cycles: float) -> None:
        library.eigen_loop_cost(ctypes.c_void_p(handle), ctypes.c_double(cycles))

    return Peer(_address(library, "eigen_loop_parallel"), handle, cost=cost)


# -- what is here --------------------------------------------------------------------------------


def _newest_llvm() -> str:
    found = Path("/usr/lib").glob("llvm-*/lib/libomp.so")
    version = {str(path): int(path.parts[3].removeprefix("llvm-").split(".")[0]) for path in found}
    return max(version, key=version.__getitem__, default="") or find_library("omp") or ""


def _from_package() -> str:
    try:
        listed = files("intel-openmp") or []
    except PackageNotFoundError:
        return ""
    paths = [Path(str(file.locate())).resolve() for file in listed if file.name == "libiomp5.so"]
    return next((str(path) for path in paths if path.exists()), "")


@cache
def openmp_path(runtime: str) -> str:
    """Where "libomp" or "libiomp5" is, "" if nowhere; BENCH_LIBOMP and BENCH_LIBIOMP5 say it too.

    Only the package's libiomp5 counts: distributions give libomp that name as well.
    """
    given = os.environ.get(f"BENCH_{runtime.upper()}", "")
    return given or (_newest_llvm() if runtime == "libomp" else _from_package())


def present(runtime: str) -> bool:
    """Whether a runtime can be built and run here."""
    if runtime == "tbb":
        return has_header("tbb/task_arena.h")
    if runtime == "eigen":
        return has_header(EIGEN_HEADER, *EIGEN)
    return runtime == "gomp" or bool(openmp_path(runtime))
