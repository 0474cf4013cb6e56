"""Everything that the kernel's files say about the machine, in one value."""

from __future__ import annotations

import os
from dataclasses import dataclass
from math import ceil

from .caches import Cache, read_caches
from .cpus import Cpu, read_cpus
from .cpuset import Cpuset, read_cpuset
from .files import cpu_list, read_line, read_text
from .isa import read_isa, read_model
from .kinds import CoreKind, read_kinds
from .limits import allowed_cpus, cpu_quota, existing_cpus
from .nodes import Node, read_nodes
from .pages import Pages, read_pages
from .power import Power, read_power


@dataclass(frozen=True, slots=True)
class Machine:
    """The CPUs that are online, what they share, and what this process may use of them."""

    #: The kernel's name of the instruction set, such as "x86_64".
    architecture: str
    model: str
    isa: tuple[str, ...]
    cpus: tuple[Cpu, ...]
    kinds: tuple[CoreKind, ...]
    nodes: tuple[Node, ...]
    caches: tuple[Cache, ...]
    #: The CPUs of the calling thread's affinity mask, ascending.
    allowed: tuple[int, ...]
    cpuset: Cpuset
    #: CPUs' worth of time; None: no limit.
    quota: float | None
    power: Power
    pages: Pages

    @property
    def sockets(self) -> tuple[int, ...]:
        """The ranks of the packages that CPUs are in."""
        return tuple(sorted({cpu.package for cpu in self.cpus}))

    @property
    def cores(self) -> tuple[tuple[int, ...], ...]:
        """The CPUs of each physical core: SMT siblings together, packages one after the other."""
        siblings: dict[tuple[int, int], list[int]] = {}
        for cpu in self.cpus:
            siblings.setdefault((cpu.package, cpu.core), []).append(cpu.number)
        return tuple(tuple(siblings[key]) for key in sorted(siblings))

    @property
    def default_num_threads(self) -> int:
        """The size that pools have by default here."""
        size = len(self.allowed)
        return max(1, size if self.quota is None else min(size, ceil(self.quota)))


def read_machine(root: str = "") -> Machine:
    """Read it, some milliseconds' worth of small files; `root` is where a captured tree lies."""
    system = f"{root}/sys/devices/system/cpu"
    online = cpu_list(read_line(f"{system}/online")) or existing_cpus(f"{system}/present")
    return Machine(
        architecture=read_line(f"{root}/proc/sys/kernel/arch") or os.uname().machine,
        model=read_model(root),
        isa=read_isa(root),
        cpus=tuple(read_cpus(online, system)),
        kinds=read_kinds(online, root),
        nodes=read_nodes(root),
        caches=read_caches(online, root),
        allowed=tuple(_allowed(root)),
        cpuset=read_cpuset(root),
        quota=cpu_quota(f"{root}/sys/fs/cgroup", f"{root}/proc/self/cgroup"),
        power=read_power(online, root),
        pages=read_pages(root),
    )


def _allowed(root: str) -> list[int]:
    for line in (read_text(f"{root}/proc/thread-self/status") or "").splitlines():
        if line.startswith("Cpus_allowed_list:"):
            return cpu_list(line.partition(":")[2])
    return allowed_cpus()
