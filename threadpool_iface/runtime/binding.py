"""Binding the calling thread to cores, and letting it go.

Affinity degrades: cores that have left the allowed set since their CPUPool was made are no error,
here as for the workers of a pool.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from typing import NamedTuple

from ..native import lib
from ..topology.cpu_pool import CPUPool
from ..topology.usable import set_unbound_mask, unbound_mask


class Bound(NamedTuple):
    """What `release` needs to undo `bind`."""

    mask: set[int]
    #: Whether the thread was not bound before.
    outermost: bool


def bind(cores: CPUPool) -> Bound:
    """Let the calling thread run on these cores only, from the first one on.

    It keeps all of them, so that a thread which the program starts here is not confined to one. But
    a pool's workers are bound to the others, and beside one of them it would get half of a core
    until the kernel balances the load.
    """
    before = Bound(os.sched_getaffinity(0), unbound_mask() is None)
    if before.outermost:
        lib.tpi_keep_affinity(True)
        set_unbound_mask(frozenset(before.mask))
    if len(cores) > 1:
        _set_mask(cores.core_ids[:1])
    _set_mask(cores.core_ids)
    return before


def release(before: Bound) -> None:
    """Give the calling thread the mask back that it had before `bind`."""
    _set_mask(before.mask)
    if before.outermost:
        lib.tpi_keep_affinity(False)
        set_unbound_mask(None)


def bind_new_thread(cores: CPUPool, usable: Iterable[int]) -> None:
    """`bind` in a thread that may have inherited the mask of a bound one; `usable` is what it had.
    """
    _set_mask(usable)
    bind(cores)


def _set_mask(cpus: Iterable[int]) -> None:
    with suppress(OSError):
        os.sched_setaffinity(0, cpus)
