"""What to change about a machine so that pools on it are faster, and why."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from .files import ranges
from .machine import Machine

#: Leaving such an idle state takes longer than everything else about waking a worker (50 us).
_DEEP_LATENCY = 100


class Advice(NamedTuple):
    """One thing to change."""

    #: What is so now.
    now: str
    #: What to do about it.
    change: str
    why: str


def advice(machine: Machine) -> list[Advice]:
    """What to change, the most worthwhile first; empty if nothing is known to be in the way."""
    return [*_limits(machine), *_cores(machine), *_nodes(machine), *_power(machine),
            *_pages(machine)]


def _limits(machine: Machine) -> Iterator[Advice]:
    quota, cpus = machine.quota, len(machine.allowed)
    if quota is not None and quota < cpus:
        yield Advice(
            f"CPU quota of {quota:g} below the {cpus} CPUs of the affinity mask",
            f"grant {cpus} CPUs, or restrict the process to {machine.default_num_threads} by "
            "cpuset or taskset",
            "runtimes that look at the mask alone start a thread for each CPU, use the quota up "
            f"early in each period and stand still for the rest; pools here have "
            f"{machine.default_num_threads} by default")


def _cores(machine: Machine) -> Iterator[Advice]:
    allowed = set(machine.allowed)
    if any(len(allowed.intersection(core)) > 1 for core in machine.cores):
        yield Advice(
            "several hardware threads of a core are in use (SMT)",
            "run on CPUPool.physical()",
            "one thread keeps a core's vector units busy; a second one halves the cache of both")
    kinds = [kind for kind in machine.kinds if allowed.intersection(kind.cpus)]
    if len(kinds) > 1:
        yield Advice(
            "cores of different speed (" + ", ".join(kind.name for kind in kinds) + ")",
            f"run on CPUPool(core_ids) of {ranges(kinds[0].cpus)}, or on an EigenLikePool",
            "even blocks of work wait for the slowest core; work-stealing gives it less")


def _nodes(machine: Machine) -> Iterator[Advice]:
    allowed = set(machine.allowed)
    nodes = [node.number for node in machine.nodes if allowed.intersection(node.cpus)]
    if len(nodes) > 1:
        yield Advice(
            f"this process runs on {len(nodes)} NUMA nodes",
            f"run one instance on each: pin(CPUPool(node_id={nodes[0]})) and so on; place large "
            "arrays with topology.first_touch",
            "memory of another node is slower to reach, and all threads share the link to it")
        if machine.pages.balancing:
            yield Advice(
                "the kernel moves pages between NUMA nodes",
                "sysctl kernel.numa_balancing=0",
                "bound threads need no moving, and the page faults that watch them cost time")
    memory = set(machine.cpuset.nodes)
    if nodes and memory and not memory.intersection(nodes):
        yield Advice(
            f"CPUs of node {ranges(nodes)}, memory of node {ranges(sorted(memory))} (cpuset)",
            f"give the cpuset memory of node {ranges(nodes)}",
            "every access leaves the node")


def _power(machine: Machine) -> Iterator[Advice]:
    power = machine.power
    if set(power.governors) - {"performance"}:
        yield Advice(
            f"frequency governor {', '.join(power.governors)}",
            "cpupower frequency-set -g performance",
            "short regions end before another governor has raised the frequency")
    if power.turbo is False:
        yield Advice("turbo is off", "switch it on in the firmware or the kernel's cpufreq files",
                     "a few busy cores may run faster than all of them together")
    deep = [state for state in power.idle_states
            if state.enabled and state.latency > _DEEP_LATENCY]
    if deep:
        yield Advice(
            f"idle state {deep[-1].name} takes {deep[-1].latency} us to leave",
            f"cpupower idle-set -D {_DEEP_LATENCY}, or pools with a longer blocktime",
            "the first region after a pause waits for its workers' cores")


def _pages(machine: Machine) -> Iterator[Advice]:
    if machine.pages.huge == "never":
        yield Advice(
            "transparent huge pages are off",
            "echo madvise > /sys/kernel/mm/transparent_hugepage/enabled",
            "NumPy asks for them for large arrays; with small pages address translation costs time")
