"""The CPUs that a thread may be bound to, whatever it is bound to now."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterable

from .limits import allowed_cpus, existing_cpus


class _Unbound(threading.local):
    """The affinity mask that a thread had before this library bound it; None: it has it still."""

    mask: frozenset[int] | None = None


_unbound = _Unbound()


def usable_cpus() -> list[int]:
    """The affinity mask, ascending; of a thread that `pin` or a `Task` bound, the one before.

    A bound thread may bind itself to other CPUs again, so its present mask is no limit.
    """
    return allowed_cpus() if _unbound.mask is None else sorted(_unbound.mask)


def unbound_mask() -> frozenset[int] | None:
    """The calling thread's mask before it was bound; None if it is not."""
    return _unbound.mask


def set_unbound_mask(mask: frozenset[int] | None) -> None:
    """Say what the calling thread's mask was before it was bound; None: it is bound no longer."""
    _unbound.mask = mask


def only_usable(cpus: Iterable[int], name: str, stacklevel: int) -> list[int]:
    """Those of `cpus` that are usable, in their order; warns about the others.

    Raises
    ------
    ValueError
        One does not exist, or none is left.
    """
    cpus, exist = list(cpus), existing_cpus()
    for cpu in cpus:
        if cpu not in exist:
            raise ValueError(f"{name} has CPU {cpu}; this machine has CPUs {exist}")
    usable = set(usable_cpus())
    kept = [cpu for cpu in cpus if cpu in usable]
    if not kept:
        raise ValueError(f"{name} {cpus} has no CPU that this process may use: {sorted(usable)}")
    if len(kept) < len(cpus):
        dropped = sorted(set(cpus) - usable)
        warnings.warn(f"{name}: CPUs {dropped} are not allowed for this process and are left out",
                      UserWarning, stacklevel=stacklevel + 1)
    return kept
