"""The order in which a pool's threads are put on CPUs, as Intel's OpenMP runtime does it.

`compact` puts neighbouring threads as near to each other as it can, `scatter` as far apart. Its
`permute` says how many of the innermost levels count first; see "Thread Affinity Interface" in the
developer guide of Intel's compiler, and `kmp_hw_thread_t::compare_compact` in LLVM's
`openmp/runtime/src/kmp_affinity.cpp`.
"""

from __future__ import annotations

from collections.abc import Iterable

from .cpus import Cpu

POLICIES = ("compact", "scatter")
_DEPTH = 3  # package, core, thread


def placed(cpus: Iterable[Cpu], policy: str, permute: int = 0, offset: int = 0) -> list[int]:
    """The numbers of `cpus` in the order of `policy`, starting with the `offset`-th, cyclically.

    >>> two_cores_with_two_threads_each = [Cpu(0, 0, 0, 0), Cpu(1, 0, 0, 1),
    ...                                    Cpu(2, 0, 1, 0), Cpu(3, 0, 1, 1)]
    >>> placed(two_cores_with_two_threads_each, "compact")
    [0, 1, 2, 3]
    >>> placed(two_cores_with_two_threads_each, "scatter")
    [0, 2, 1, 3]
    """
    if policy == "compact":
        inner = min(permute, _DEPTH - 1)
    else:
        inner = _DEPTH - 1 - (permute if permute < _DEPTH else 0)
    order = [*range(_DEPTH - 1, _DEPTH - 1 - inner, -1), *range(_DEPTH - inner)]
    ranked = sorted(cpus, key=lambda cpu: [cpu[1 + level] for level in order])
    start = offset % len(ranked) if ranked else 0
    return [cpu.number for cpu in ranked[start:] + ranked[:start]]
