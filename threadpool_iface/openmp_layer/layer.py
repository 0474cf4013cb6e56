"""Installing the layer, and what it has done."""

from __future__ import annotations

import ctypes
import os
import sys
import threading
from contextlib import ContextDecorator
from dataclasses import dataclass

from .. import openmp_runtimes
from ..arguments import MAX_THREADS, checked_int
from ..errors import UnsupportedError
from ..native import lib
from ..settings import variable
from . import library

_loaded: ctypes.CDLL | None = None
_installed = False


def install() -> None:
    """Have the OpenMP regions of packages that are imported from now on run on the active pool.

    Again after `uninstall`, it holds for those that were imported in between, too. A forked child
    has the layer as its parent does. Idempotent.

    Raises
    ------
    UnsupportedError
        A package has loaded libgomp already, and calls that one for good; or the environment binds
        OpenMP threads to places (OMP_PROC_BIND, OMP_PLACES, GOMP_CPU_AFFINITY), which a pool's
        threads do not follow. Nothing has changed then.
    """
    before = library.libgomps_before()
    if before:
        raise UnsupportedError(
            f"libgomp is loaded already: {'; '.join(before)}. Whoever loaded it calls it for good, "
            "so the layer has to come first: call openmp_layer.install() before that import, set "
            "THREADPOOL_IFACE_OPENMP=1 and import threadpool_iface first, or run python -m "
            "threadpool_iface.openmp_layer script.py")
    _attach()


def _attach() -> None:
    global _loaded, _installed
    loaded = library.load()
    refused = loaded.tpi_gomp_refused()
    if refused:
        raise UnsupportedError(
            f"{refused.decode()} binds OpenMP threads to places; a pool's threads are where the "
            "pool put them: unset it, and choose cpus= when the pool is made")
    if loaded.tpi_gomp_attach(lib.tpi_openmp_core()):
        raise UnsupportedError(f"{library.path()} is of another version; install the package anew")
    _loaded, _installed = loaded, True
    if "threadpoolctl" in sys.modules:
        from .. import threadpoolctl_controller as _  # noqa: F401


def uninstall() -> None:
    """Send all calls to libgomp again. Regions that run end where they began. Idempotent."""
    global _installed
    if _loaded is not None:
        _loaded.tpi_gomp_attach(None)
    _installed = False


def installed() -> bool:
    """Whether OpenMP regions run on pools."""
    return _installed


def install_from_environment() -> None:
    """What THREADPOOL_IFACE_OPENMP says: 1 to install, preload where a launcher has loaded it.

    Raises
    ------
    ValueError
        It says something else.
    """
    text = variable("THREADPOOL_IFACE_OPENMP")
    if text not in ("", "0", "1", "preload"):
        raise ValueError(f"THREADPOOL_IFACE_OPENMP must be 0 or 1, not {text!r}")
    if text == "1" or (text == "preload" and library.is_loaded()):
        install()


class limited(ContextDecorator):  # noqa: N801 - used like a function
    """`with limited():` OpenMP regions of the calling thread have at most so many members.

    Of every runtime that is loaded by then: the layer's library, libgomp, libomp and libiomp5. For
    a task of a region of ours that calls a package whose runtime is not redirected. Regions that
    ask for a number themselves get it.

    Raises
    ------
    TypeError, ValueError
        `num_threads` is not an integer in 1..4096.
    """

    def __init__(self, num_threads: int = 1) -> None:
        self._most = checked_int(num_threads, "num_threads", 1, MAX_THREADS)
        self._before = threading.local()

    def _entered(self) -> list[openmp_runtimes.Counts]:
        entered: list[openmp_runtimes.Counts] = self._before.__dict__.setdefault("entered", [])
        return entered

    def __enter__(self) -> None:
        before = openmp_runtimes.counts_now()
        self._entered().append(before)
        openmp_runtimes.set_counts(before, self._most, at_most=True)

    def __exit__(self, *_: object) -> None:
        openmp_runtimes.restore_counts(self._entered().pop())


@dataclass(frozen=True)
class Calls:
    """Regions that one library started.

    Attributes
    ----------
    library : str
        Its file's name.
    on_pools : int
        Of several threads, all of them of a pool.
    alone : int
        Of one thread: nothing more was asked for, or it was inside another region.
    borrowed : int
        With threads beside the pool's: more were asked for than it has, or others held it for too
        long.
    forwarded : int
        On libgomp's own threads.
    """

    library: str
    on_pools: int
    alone: int
    borrowed: int
    forwarded: int


@dataclass(frozen=True)
class Counts:
    """What the layer has done since the process began.

    Attributes
    ----------
    libraries : tuple of Calls
        Each that has started a region.
    extra_threads : int
        Borrowed threads that exist now; idle ones end after two seconds.
    """

    libraries: tuple[Calls, ...]
    extra_threads: int


def counts() -> Counts:
    """Who has called, and where the regions ran."""
    if _loaded is None:
        return Counts((), 0)
    return Counts(tuple(_calls(_loaded)), int(_loaded.tpi_gomp_extra_threads()))


def _calls(loaded: ctypes.CDLL) -> list[Calls]:
    found: list[Calls] = []
    regions = (ctypes.c_uint64 * 4)()
    while (name := loaded.tpi_gomp_caller(len(found), regions)) is not None:
        found.append(Calls(os.fsdecode(name), *regions))
    return [calls for calls in found if any((calls.on_pools, calls.alone, calls.borrowed,
                                             calls.forwarded))]
