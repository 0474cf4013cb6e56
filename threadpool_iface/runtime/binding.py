"""Binding the calling thread to cores, and letting it go.

Affinity degrades: cores that have left the allowed set since their CPUPool was made are no error,
here as for the workers of a pool.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, NamedTuple

from ..native import guarded, lib
from ..openmp_runtimes import Counts, counts_now, restore_counts, set_counts
from ..topology.cpu_pool import CPUPool
from ..topology.usable import set_unbound_mask, unbound_mask


class Bound(NamedTuple):
    """What `release` needs to undo `bind`."""

    mask: set[int]
    #: Whether the thread was not bound before.
    outermost: bool
    #: Threads that OpenMP runtimes gave to regions of this thread.
    openmp: Counts


def binding_now() -> Bound:
    """The calling thread's, to be restored later."""
    return Bound(os.sched_getaffinity(0), unbound_mask() is None, counts_now())


def bind(cores: CPUPool, before: Bound) -> None:
    """Let the calling thread run on these cores only, from the first one on.

    It keeps all of them, so that a thread which the program starts here is not confined to one. But
    a pool's workers are bound to the others, and beside one of them it would get half of a core
    until the kernel balances the load. `before` is `binding_now()`.

    OpenMP runtimes that are loaded by now, and PyTorch's MKL, give its regions a thread for each
    core.
    """
    if before.outermost:
        lib.tpi_keep_affinity(True)
        set_unbound_mask(frozenset(before.mask))
    if len(cores) > 1:
        _set_mask(cores.core_ids[:1])
    _set_mask(cores.core_ids)
    set_counts(before.openmp, len(cores))


def release(before: Bound) -> None:
    """Give the calling thread back what it had before `bind`; may be called again."""
    restore_counts(before.openmp)
    _set_mask(before.mask)
    if before.outermost:
        lib.tpi_keep_affinity(False)
        set_unbound_mask(None)


class Binding:
    """`with Binding(cores):` binds the calling thread for a block; for one use."""

    def __init__(self, cores: CPUPool) -> None:
        self._cores = cores
        self._before: Bound | None = None

    def _restore(self, noted: list[Any]) -> None:
        if self._before is not None:
            release(self._before)

    def _enter(self, noted: list[Any]) -> None:
        self._before = binding_now()
        bind(self._cores, self._before)

    def _leave(self, noted: list[Any], *error: object) -> None:
        self._restore(noted)

    __enter__ = guarded(_enter, _restore)
    __exit__ = guarded(_leave, _restore)


def bind_new_thread(cores: CPUPool, usable: Iterable[int]) -> None:
    """`bind` in a thread that may have inherited the mask of a bound one; `usable` is what it had.
    """
    _set_mask(usable)
    bind(cores, binding_now())


def _set_mask(cpus: Iterable[int]) -> None:
    with suppress(OSError):
        os.sched_setaffinity(0, cpus)
