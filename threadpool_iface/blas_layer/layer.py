"""Installing the layer, and limiting BLAS for a block."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from ..arguments import MAX_THREADS, checked_int
from ..errors import UnsupportedError, check
from ..native import ffi, lib
from .libraries import Library, libraries

_watching_forks = False


def install() -> list[Library]:
    """Run the jobs of every OpenBLAS that is loaded now on the active pool of whoever calls it.

    Call it again after a library that brings one of its own has been imported: NumPy and SciPy have
    one each. A forked child starts without the layer. Whatever it raises, an interruption included,
    the libraries that were taken over before are those that are afterwards.

    Returns
    -------
    list of Library
        Those that it has taken over, now or before.

    Raises
    ------
    UnsupportedError
        There is none that can be; the message says why for each that is loaded.
    """
    loaded = libraries()
    taken = [library for library in loaded if library.redirectable]
    if not taken:
        reasons = "; ".join(map(str, loaded)) or "none is loaded, import NumPy or SciPy first"
        raise UnsupportedError(f"no BLAS library of this process can run on a pool: {reasons}")
    _watch_forks()
    before = [library for library in taken if _taken_over(library)]
    try:
        for code in _take_over(taken):
            check(code)
    except BaseException:
        lib.tpi_blas_uninstall()
        _take_over(before)
        raise
    return taken


def _take_over(chosen: list[Library]) -> list[int]:
    """The C core's answer for each; it copies what it is given.

    One call of `map` for all of them: Python raises no interruption inside it.
    """
    given = [ffi.new("tpi_blas_library *", library._addresses) for library in chosen]
    return list(map(lib.tpi_blas_install, given))


def _watch_forks() -> None:
    global _watching_forks
    if not _watching_forks:
        # Interrupted after this, or in two threads at once, it is registered twice, which does no
        # harm: the second call finds nothing to restore.
        os.register_at_fork(after_in_child=lib.tpi_blas_restore_after_fork)
        _watching_forks = True


def uninstall() -> None:
    """Back to OpenBLAS's own threads, as many as it would use by itself. Idempotent.

    Calls that are running on a pool end there.
    """
    lib.tpi_blas_uninstall()


def installed() -> bool:
    """Whether the layer has taken over at least one library."""
    return bool(lib.tpi_blas_installed(0))


def _taken_over(library: Library) -> bool:
    return library.redirectable and bool(
        lib.tpi_blas_installed(library._addresses["set_callback"]))


@dataclass(frozen=True)
class Counts:
    """Calls of BLAS that were split, since the process began.

    Attributes
    ----------
    on_pools, on_own_threads : int
        Where their jobs ran, while the layer was installed.
    """

    on_pools: int
    on_own_threads: int


def counts() -> Counts:
    """Where the calls that the layer was asked about have run."""
    raw = ffi.new("tpi_blas_counts *")
    lib.tpi_blas_count(raw)
    return Counts(raw.on_pools, raw.on_own_threads)


@contextmanager
def limited(num_threads: int = 1) -> Iterator[None]:
    """`with limited():` BLAS uses at most so many threads, in the whole process, for a block.

    For regions whose tasks call BLAS: OpenBLAS has one number for all threads, so the layer cannot
    limit those of a region alone. It works without the layer too, and limits MKL, BLIS and
    FlexiBLAS.

    Raises
    ------
    TypeError, ValueError
        `num_threads` is not an integer in 1..4096.
    """
    most = checked_int(num_threads, "num_threads", 1, MAX_THREADS)
    with ExitStack() as stack:
        for library in libraries():
            if not _taken_over(library):
                stack.enter_context(_limited(library, most))
        held: list[None] = []
        stack.callback(lambda: lib.tpi_blas_hold(most, False) if held else None)
        # Done and noted in one call, inside which Python raises no interruption.
        held.extend(map(lib.tpi_blas_hold, (most,), (True,)))
        yield


@contextmanager
def _limited(library: Library, most: int) -> Iterator[None]:
    before = library.num_threads
    if library._set is None or before <= most:
        yield
        return
    try:
        library._set(most)
        yield
    finally:
        library._set(before)
