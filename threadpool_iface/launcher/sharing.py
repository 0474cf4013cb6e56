"""How many instances there are, and which CPUs each of them has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from ..topology.cpus import Cpu
from ..topology.machine import Machine
from ..topology.splitting import split
from .cores import nodes_of

#: Cores of an instance in latency mode, as in Intel's launcher.
LATENCY_CORES = 4


@dataclass(frozen=True, slots=True)
class Shares:
    """What the user wants; by default one instance on all CPUs."""

    ninstances: int | None = None
    ncores: int | None = None
    #: "latency": 4 cores each; "throughput": one instance on each node; or empty.
    mode: str = ""
    #: Instances may share cores.
    oversubscribe: bool = False


def shared_out(wanted: Shares, cpus: Sequence[Cpu], machine: Machine) -> list[list[int]]:
    """The CPUs of each instance.

    Instances keep to a node, except where the number asked for leaves no other way. CPUs that are
    over go to the first ones, or, where the size is given, to nobody.

    Raises
    ------
    ValueError
        There are too few CPUs.
    """
    if wanted.mode == "throughput":
        return _by_node(cpus, machine)
    size = LATENCY_CORES if wanted.mode == "latency" else wanted.ncores
    if wanted.oversubscribe:
        return _in_turns(cpus, wanted.ninstances or 1, size or 1)
    if size is None:
        return _even(cpus, wanted.ninstances or 1, machine)
    return _of_size(cpus, size, wanted.ninstances, machine)


def _by_node(cpus: Sequence[Cpu], machine: Machine) -> list[list[int]]:
    def node(number: int) -> int:
        return next(iter(nodes_of([number], machine)), 0)

    numbers = sorted((cpu.number for cpu in cpus), key=node)
    return [list(part) for _, part in groupby(numbers, node)]


def _in_turns(cpus: Sequence[Cpu], instances: int, size: int) -> list[list[int]]:
    if size > len(cpus):
        raise ValueError(f"an instance of {size} cores cannot run on {_counted(cpus)}")
    return [[cpus[i % len(cpus)].number for i in range(k * size, (k + 1) * size)]
            for k in range(instances)]


def _even(cpus: Sequence[Cpu], instances: int, machine: Machine) -> list[list[int]]:
    if instances > len(cpus):
        raise ValueError(f"{instances} instances on {_counted(cpus)} would have less than one "
                         f"each{_more(len(cpus), instances, machine)}")
    return split(cpus, instances)


def _of_size(cpus: Sequence[Cpu], size: int, instances: int | None,
             machine: Machine) -> list[list[int]]:
    needed = size * (instances or 1)
    if needed > len(cpus):
        what = (f"{instances} instances of {size} cores" if instances else
                f"an instance of {size} cores")
        raise ValueError(f"{what} need{'s' * (not instances)} {needed}, and there "
                         f"{_are(len(cpus))} to run on{_more(len(cpus), needed, machine)}")
    within = [part for _, place in groupby(cpus, lambda cpu: cpu.package)
              for part in _cut([cpu.number for cpu in place], size)]
    across = _cut([cpu.number for cpu in cpus], size)
    parts = within if len(within) >= (instances or 1) else across
    return parts[:instances]


def _cut(numbers: list[int], size: int) -> list[list[int]]:
    """Parts of exactly this size; what is over is left out."""
    return [numbers[i : i + size] for i in range(0, len(numbers) - size + 1, size)]


def _counted(cpus: Sequence[Cpu]) -> str:
    return f"{len(cpus)} core{'s' * (len(cpus) != 1)}"


def _are(number: int) -> str:
    return f"is {number} core" if number == 1 else f"are {number} cores"


def _more(have: int, needed: int, machine: Machine) -> str:
    """What else the user could do."""
    ways = []
    if have < needed <= len(machine.allowed):
        ways.append("--use-logical-cores (or --use-e-cores, or other nodes) has "
                    f"{len(machine.allowed)} hardware threads")
    ways.append("--oversubscribe lets instances share cores")
    return "; " + "; ".join(ways)
