"""How many threads this process may run at once: its affinity mask and its cgroup's CPU quota."""

from __future__ import annotations

import os
from collections.abc import Iterator
from math import ceil

from .files import cpu_list, read_text

CGROUP_ROOT = "/sys/fs/cgroup"


def allowed_cpus() -> list[int]:
    """The CPUs of the calling thread's affinity mask, ascending."""
    return sorted(os.sched_getaffinity(0))


def existing_cpus(present: str = "/sys/devices/system/cpu/present") -> list[int]:
    """The CPUs this machine has, ascending, whether or not this process may use them."""
    listed = cpu_list(read_text(present) or "")
    return listed or sorted({*range(os.cpu_count() or 1), *allowed_cpus()})


def default_num_threads(cpus: int | None = None) -> int:
    """min(CPUs, by default those of the affinity mask, CPU quota rounded up); at least 1."""
    cpus = len(allowed_cpus()) if cpus is None else cpus
    quota = cpu_quota()
    return max(1, cpus if quota is None else min(cpus, ceil(quota)))


def cpu_quota(root: str = CGROUP_ROOT, membership: str = "/proc/self/cgroup") -> float | None:
    """CPUs' worth of time that the cgroup, or one it is inside of, grants; None: no limit."""
    found = [limit for folder in cgroup_folders(root, membership, "cpu")
             for limit in _limits(folder)]
    return min(found, default=None)


def cgroup_folders(root: str, membership: str, controller: str) -> Iterator[str]:
    """The process's cgroup folders of a controller, v2 and v1, each before those above it."""
    for line in (read_text(membership) or "").splitlines():
        _, controllers, path = (*line.split(":", 2), "", "")[:3]
        if controllers and controller not in controllers.split(","):
            continue
        # In a container the folder of its own cgroup is often the root itself.
        bases = [root] if not controllers else [f"{root}/{controllers}", f"{root}/{controller}"]
        parts = [part for part in path.split("/") if part not in ("", "..")]
        for base in bases:
            for depth in range(len(parts), -1, -1):
                yield "/".join([base, *parts[:depth]])


def _limits(folder: str) -> Iterator[float]:
    v2 = (read_text(f"{folder}/cpu.max") or "").split()
    if len(v2) == 2 and v2[0].isdigit() and int(v2[1]) > 0:
        yield int(v2[0]) / int(v2[1])
    quota = (read_text(f"{folder}/cpu.cfs_quota_us") or "").strip()
    period = (read_text(f"{folder}/cpu.cfs_period_us") or "").strip()
    if quota.isdigit() and period.isdigit() and int(quota) > 0 and int(period) > 0:
        yield int(quota) / int(period)
