"""Installing the layer, and limiting BLAS for a block."""

from __future__ import annotations

import os
from contextlib import ContextDecorator
from dataclasses import dataclass, field
from types import TracebackType

from ..arguments import MAX_THREADS, checked_int
from ..errors import UnsupportedError, check
from ..native import ffi, guarded, lib
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


@dataclass(eq=False)
class _Block:
    """What was changed on entering; `held` has an item once the layer is limited, and a second one
    once it no longer is.
    """

    before: list[tuple[Library, int]] = field(default_factory=list)
    held: list[None] = field(default_factory=list)


class limited(ContextDecorator):  # noqa: N801 - used like a function
    """`with limited():` BLAS uses at most so many threads, in the whole process, for a block.

    For regions whose tasks call BLAS: OpenBLAS has one number for all threads, so the layer cannot
    limit those of a region alone. It works without the layer too, and limits MKL, BLIS and
    FlexiBLAS. An interruption, wherever it comes, leaves no limit behind.

    Raises
    ------
    TypeError, ValueError
        `num_threads` is not an integer in 1..4096.
    """

    def __init__(self, num_threads: int = 1) -> None:
        self._most = checked_int(num_threads, "num_threads", 1, MAX_THREADS)
        self._blocks: list[_Block] = []

    def _hold(self, block: _Block, held: bool) -> None:
        # Done and noted in one call, inside which Python raises no interruption.
        block.held.extend(map(lib.tpi_blas_hold, (self._most,), (held,)))

    def _enter(self, noted: list[_Block]) -> None:
        block = _Block()
        noted.append(block)
        self._blocks.append(block)
        for library in libraries():
            before = library.num_threads
            if not _taken_over(library) and library._set is not None and before > self._most:
                block.before.append((library, before))
                library._set(self._most)
        self._hold(block, True)

    def _restore(self, noted: list[_Block]) -> None:
        """Undo the block that is noted, or the last one; may be called again."""
        if not noted and self._blocks:
            noted.append(self._blocks[-1])
        for block in noted:
            if len(block.held) == 1:
                self._hold(block, False)
            for library, before in reversed(block.before):
                assert library._set is not None
                library._set(before)
            self._blocks[:] = [other for other in self._blocks if other is not block]

    def _undo(self, noted: list[_Block]) -> None:
        """Undo what this entry has done so far; may be called again."""
        if noted:
            self._restore(noted)

    def _leave(
        self, noted: list[_Block], kind: type[BaseException] | None, error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if not self._blocks:
            raise RuntimeError(f"limited({self._most}) is left but was not entered")
        noted.append(self._blocks[-1])
        self._restore(noted)

    __enter__ = guarded(_enter, _undo)
    __exit__ = guarded(_leave, _restore)
