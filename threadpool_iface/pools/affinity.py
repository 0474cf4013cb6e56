"""Which CPUs a pool's threads are bound to."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Sequence

from ..arguments import checked_int
from ..settings import KmpAffinity
from ..topology import allowed_cpus, existing_cpus
from ..topology.cpus import read_cpus
from ..topology.placement import POLICIES, placed


def affinity_cpus(affinity: str | Sequence[int] | None) -> list[int]:
    """The CPUs to bind to, in the order of the threads. Empty: no binding.

    Raises
    ------
    TypeError
        Neither the name of a policy nor a sequence of integers.
    ValueError
        Another name; a CPU that does not exist; or none that is allowed.
    """
    if affinity is None:
        return []
    if isinstance(affinity, str):
        if affinity not in POLICIES:
            raise ValueError(f'affinity must be "compact", "scatter" or a sequence of CPU numbers, '
                             f"not {affinity!r}")
        return placed(read_cpus(allowed_cpus()), affinity)
    if isinstance(affinity, bytes) or not hasattr(affinity, "__iter__"):
        raise TypeError('affinity must be "compact", "scatter", a sequence of CPU numbers or None, '
                        f"not {affinity!r}")
    return _allowed([checked_int(cpu, f"affinity[{i}]", 0) for i, cpu in enumerate(affinity)],
                    "affinity")


def kmp_affinity_cpus(wanted: KmpAffinity | None, num_threads: int) -> list[int]:
    """The same for a value of KMP_AFFINITY, whose `verbose` prints the binding on stderr."""
    if wanted is None:
        return []
    if wanted.proclist:
        cpus = _allowed(list(wanted.proclist), "KMP_AFFINITY")
    else:
        cpus = placed(read_cpus(allowed_cpus()), wanted.policy, wanted.permute, wanted.offset)
    if wanted.verbose:
        # Thread 0 is the caller, which is the program's own: a pool never moves it.
        for i in range(1, num_threads):
            print(f"threadpool_iface: KMP_AFFINITY: thread {i} is bound to CPU "
                  f"{cpus[i % len(cpus)]}", file=sys.stderr, flush=True)
    return cpus


def _allowed(cpus: list[int], name: str) -> list[int]:
    exist = existing_cpus()
    for cpu in cpus:
        if cpu not in exist:
            raise ValueError(f"{name} has CPU {cpu}; this machine has CPUs {exist}")
    allowed = set(allowed_cpus())
    kept = [cpu for cpu in cpus if cpu in allowed]
    if not kept:
        raise ValueError(f"{name} {cpus} has no CPU that this process may use: {sorted(allowed)}")
    if len(kept) < len(cpus):
        dropped = sorted(set(cpus) - allowed)
        warnings.warn(f"{name}: CPUs {dropped} are not allowed for this process and are left out",
                      UserWarning, stacklevel=4)
    return kept
