"""Which CPUs a pool's threads are bound to."""

from __future__ import annotations

import sys
from collections.abc import Iterable

from ..arguments import checked_int
from ..settings import KmpAffinity
from ..topology import allowed_cpus
from ..topology.cpu_pool import CPUPool
from ..topology.cpus import read_cpus
from ..topology.placement import POLICIES, placed
from ..topology.usable import only_usable, unbound_mask


def threads_and_cpus(
    num_threads: int | CPUPool | None, affinity: str | Iterable[int] | None
) -> tuple[int | None, list[int]]:
    """The size that was asked for, and the CPUs to bind to, in the order of the threads.

    A CPUPool given as either says both. A pool that is made where `pin` or a `Task` has bound the
    calling thread is bound to the same CPUs if it is not told otherwise.

    Raises
    ------
    TypeError, ValueError
        As `affinity_cpus`; or a CPUPool and an affinity are given.
    """
    if isinstance(num_threads, CPUPool):
        if affinity is not None:
            raise TypeError(f"{num_threads!r} says the CPUs: affinity must be None, "
                            f"not {affinity!r}")
        num_threads, affinity = None, num_threads
    if affinity is None and unbound_mask() is not None:
        return num_threads, allowed_cpus()
    cpus = affinity_cpus(affinity)
    if num_threads is None and isinstance(affinity, CPUPool):
        num_threads = len(cpus)
    return num_threads, cpus


def affinity_cpus(affinity: str | Iterable[int] | None) -> list[int]:
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
    return only_usable([checked_int(cpu, f"affinity[{i}]", 0) for i, cpu in enumerate(affinity)],
                       "affinity", stacklevel=4)


def kmp_affinity_cpus(wanted: KmpAffinity | None, num_threads: int) -> list[int]:
    """The same for a value of KMP_AFFINITY, whose `verbose` prints the binding on stderr."""
    if wanted is None:
        return []
    if wanted.proclist:
        cpus = only_usable(wanted.proclist, "KMP_AFFINITY", stacklevel=3)
    else:
        cpus = placed(read_cpus(allowed_cpus()), wanted.policy, wanted.permute, wanted.offset)
    if wanted.verbose:
        # Thread 0 is the caller, which is the program's own: a pool never moves it.
        for i in range(1, num_threads):
            print(f"threadpool_iface: KMP_AFFINITY: thread {i} is bound to CPU "
                  f"{cpus[i % len(cpus)]}", file=sys.stderr, flush=True)
    return cpus
