"""Which CPUs the instances run on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ..topology.cpus import Cpu
from ..topology.files import ranges
from ..topology.machine import Machine


@dataclass(frozen=True, slots=True)
class Selection:
    """What the user wants; by default one CPU of each fast core that this process may use."""

    #: NUMA nodes; all if empty.
    nodes: tuple[int, ...] = ()
    #: CPUs; instead of all the others here.
    core_list: tuple[int, ...] = ()
    #: Every hardware thread of a core, not one.
    logical: bool = False
    #: Also the slow cores of a hybrid CPU.
    e_cores: bool = False


def selected(wanted: Selection, machine: Machine) -> list[Cpu]:
    """The CPUs, side by side as they are in the machine.

    Their `package` is what an instance should not lie across: a node, or a package in one.

    Raises
    ------
    ValueError
        A CPU or node that does not exist, or that this process may not use.
    """
    if wanted.core_list:
        numbers = _listed(wanted.core_list, machine)
    else:
        numbers = _of_nodes(wanted.nodes, machine)
        if not wanted.e_cores:
            numbers = _fastest(numbers, machine)
        if not wanted.logical:
            numbers = _one_per_core(numbers, machine)
    return _placed(numbers, machine)


def nodes_of(cpus: Iterable[int], machine: Machine) -> tuple[int, ...]:
    """The NUMA nodes that these CPUs are in, ascending; none on a kernel without NUMA."""
    wanted = set(cpus)
    return tuple(node.number for node in machine.nodes if wanted.intersection(node.cpus))


def _listed(core_list: tuple[int, ...], machine: Machine) -> set[int]:
    exist = {cpu.number for cpu in machine.cpus}
    if not exist.issuperset(core_list):
        missing = sorted(set(core_list) - exist)
        raise ValueError(f"--core-list has CPU {ranges(missing)}; this machine has "
                         f"{ranges(sorted(exist))}")
    denied = sorted(set(core_list).difference(machine.allowed))
    if denied:
        raise ValueError(f"--core-list has CPU {ranges(denied)}, which this process may not use; "
                         f"it may use {ranges(machine.allowed)}")
    return set(core_list)


def _of_nodes(numbers: tuple[int, ...], machine: Machine) -> set[int]:
    allowed = set(machine.allowed)
    nodes = {node.number: node.cpus for node in machine.nodes} or {0: machine.allowed}
    for number in numbers:
        if number not in nodes:
            raise ValueError(f"there is no node {number}: this machine has NUMA nodes "
                             f"{ranges(nodes)}")
        if not allowed.intersection(nodes[number]):
            raise ValueError(
                f"node {number}, with CPUs {ranges(nodes[number]) or 'none'}, has none that this "
                f"process may use; it may use {ranges(machine.allowed)}")
    if not numbers:
        return allowed
    return {cpu for number in numbers for cpu in nodes[number]} & allowed


def _fastest(numbers: set[int], machine: Machine) -> set[int]:
    kinds = (numbers.intersection(kind.cpus) for kind in machine.kinds)
    return next((kind for kind in kinds if kind), numbers)


def _one_per_core(numbers: set[int], machine: Machine) -> set[int]:
    cores = ([cpu for cpu in core if cpu in numbers] for core in machine.cores)
    return {core[0] for core in cores if core}


def _placed(numbers: set[int], machine: Machine) -> list[Cpu]:
    node_of = {cpu: node.number for node in machine.nodes for cpu in node.cpus}
    cpus = [cpu for cpu in machine.cpus if cpu.number in numbers]
    places = sorted({(node_of.get(cpu.number, 0), cpu.package) for cpu in cpus})
    placed = [cpu._replace(package=places.index((node_of.get(cpu.number, 0), cpu.package)))
              for cpu in cpus]
    return sorted(placed, key=lambda cpu: cpu[1:])
