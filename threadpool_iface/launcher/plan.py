"""The plan of a launch: which instance runs where, and what the user should know about it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ..topology.files import ranges
from ..topology.machine import Machine
from .cores import Selection, nodes_of, selected
from .sharing import Shares, shared_out


@dataclass(frozen=True, slots=True)
class Instance:
    """One process of the program."""

    index: int
    #: Ascending.
    cpus: tuple[int, ...]
    #: The NUMA nodes of those; none on a kernel without NUMA.
    nodes: tuple[int, ...]

    def __str__(self) -> str:
        nodes = f", node {ranges(self.nodes)}" if self.nodes else ""
        return f"core{'s' * (len(self.cpus) != 1)} {ranges(self.cpus)}{nodes}"


@dataclass(frozen=True, slots=True)
class Plan:
    """All of them."""

    instances: tuple[Instance, ...]
    #: What is allowed, but may not be what the user meant.
    notes: tuple[str, ...]


def made_plan(selection: Selection, shares: Shares, machine: Machine) -> Plan:
    """The plan.

    Raises
    ------
    ValueError
        It cannot be done on this machine.
    """
    cpus = selected(selection, machine)
    parts = [tuple(sorted(part)) for part in shared_out(shares, cpus, machine)]
    instances = tuple(Instance(i, part, nodes_of(part, machine)) for i, part in enumerate(parts))
    everywhere = sorted(cpu.number for cpu in cpus)
    return Plan(instances, tuple(_notes(instances, everywhere, machine)))


def _notes(instances: tuple[Instance, ...], cpus: list[int], machine: Machine) -> Iterator[str]:
    used = {cpu for instance in instances for cpu in instance.cpus}
    if len(used) < len(cpus):
        idle = ranges(cpu for cpu in cpus if cpu not in used)
        yield f"cores {idle} stay idle: they are too few for another instance, or not asked for"
    if sum(len(instance.cpus) for instance in instances) > len(used):
        yield "instances share cores, and take turns on them"
    across = [instance.index for instance in instances if len(instance.nodes) > 1]
    if across:
        yield f"instance {ranges(across)} lies across NUMA nodes: other nodes' memory is slower"
    if machine.quota is not None and machine.quota < len(used):
        yield (f"the CPU quota of {machine.quota:g} is below the {len(used)} cores of all "
               "instances, which will stand still for part of the time")
