"""OpenMPPool: the OpenMP runtime that the process has, behind the contract."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from .. import settings
from ..native import lib
from ..openmp_runtimes import kind, loaded_runtimes
from .native import NativePool, checked_num_threads

if TYPE_CHECKING:
    import ctypes

#: By preference. LLVM's and Intel's are the same runtime under two names.
_RUNTIMES = ("libgomp", "libiomp5", "libomp")
_FILES = {
    "libgomp": ("libgomp.so.1",),
    "libiomp5": ("libiomp5.so", os.path.join(sys.prefix, "lib", "libiomp5.so")),
    "libomp": ("libomp.so", "libomp.so.5", os.path.join(sys.prefix, "lib", "libomp.so")),
}
_LLVM = ("libiomp5", "libomp")
_SCHEDULES = ("static", "dynamic")


class OpenMPPool(NativePool):
    """Regions on an OpenMP runtime's own team, beside whatever else uses that runtime.

    Parameters
    ----------
    num_threads : int, optional
        Size, the caller included. By default the first value of OMP_NUM_THREADS, else
        min(CPUs of the affinity mask, CPU quota rounded up).
    runtime : str, optional
        "libgomp", "libiomp5", "libomp", or the path of such a library. By default the one that this
        process has loaded already, else the first of these that can be.
    schedule : "static" or "dynamic"
        How the tasks of a region that has more of them than threads are shared: contiguous, even
        blocks, or one by one.

    Attributes
    ----------
    runtime : str
        File name of the library.

    What OpenMP decides stays OpenMP's: each calling thread has a team of its own, how long its
    threads spin follows OMP_WAIT_POLICY and KMP_BLOCKTIME, `close()` does not end them, and libgomp
    cannot be used in a forked child of a thread that used it before (that is a ThreadpoolError),
    nor can LLVM's where KMP_INIT_AT_FORK tells it not to start anew there, as joblib does.

    Raises
    ------
    TypeError, ValueError
        An argument outside its domain; a library without GOMP_parallel; two runtimes that cannot be
        in one process.
    OSError
        No such runtime can be loaded.
    """

    def __init__(
        self, num_threads: int | None = None, *, runtime: str | None = None,
        schedule: str = "static",
    ) -> None:
        if schedule not in _SCHEDULES:
            raise ValueError(f'schedule must be "static" or "dynamic", not {schedule!r}')
        if runtime is not None and not isinstance(runtime, str):
            raise TypeError(f"runtime must be a str or None, not {runtime!r}")
        if num_threads is None:
            num_threads = settings.omp_num_threads()
        library = _load(runtime)
        size = checked_num_threads(num_threads)
        functions = [_address(library, name) for name in
                     ("GOMP_parallel", "omp_get_thread_num", "omp_get_num_threads")]
        survives_fork = kind(library._name) != "libgomp" and _starts_anew_in_children()
        super().__init__(
            lambda box: lib.tpi_box_openmp(box, size, schedule == "dynamic", *functions,
                                           survives_fork), size)
        self.schedule = schedule
        self.runtime = os.path.basename(library._name)

    def _policy(self) -> list[str]:
        return [self.runtime, self.schedule]


def _starts_anew_in_children() -> bool:
    """Whether LLVM's runtimes do: joblib and scikit-learn, for one, tell them not to."""
    return os.environ.get("KMP_INIT_AT_FORK", "").strip().lower() not in (
        "0", "false", "f", "no", "n", "off", ".f.", ".false.", "disabled")


def _candidates(runtime: str | None, loaded: list[str]) -> list[str]:
    if runtime is not None and runtime not in _RUNTIMES:
        return [runtime]
    wanted = _RUNTIMES if runtime is None else (runtime,)
    ready = [path for each in wanted for path in loaded if kind(path) == each]
    return ready + [path for each in wanted for path in _FILES[each]]


def _load(runtime: str | None) -> ctypes.CDLL:
    from ctypes import CDLL  # not needed by who only imports the package

    loaded = loaded_runtimes()
    errors = []
    for path in _candidates(runtime, loaded):
        _refuse_a_second_llvm_runtime(path, loaded)
        try:
            return CDLL(path)
        except OSError as error:
            errors.append(str(error))
    raise OSError(f"no OpenMP runtime for OpenMPPool(runtime={runtime!r}): {'; '.join(errors)}")


def _refuse_a_second_llvm_runtime(path: str, loaded: list[str]) -> None:
    """The second of LLVM's runtimes in a process aborts it (OMP: Error #15)."""
    if kind(path) not in _LLVM or os.environ.get("KMP_DUPLICATE_LIB_OK"):
        return
    for other in loaded:
        same_file = os.path.realpath(path) == os.path.realpath(other)
        by_name = "/" not in path and kind(path) == kind(other)  # the loader finds it again
        if kind(other) in _LLVM and not (same_file or by_name):
            raise ValueError(f"runtime {path!r} cannot be loaded beside {other!r}: a process can "
                             "have one of libiomp5 and libomp")


def _address(library: ctypes.CDLL, name: str) -> int:
    from ctypes import c_void_p, cast

    try:
        function = getattr(library, name)
    except AttributeError:
        raise ValueError(f"runtime {library._name!r} is no OpenMP runtime: it has no {name}"
                         ) from None
    return cast(function, c_void_p).value or 0
