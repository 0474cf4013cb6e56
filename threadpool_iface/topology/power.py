"""What saves energy at the cost of speed: frequency governor, turbo, idle states."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import count
from typing import NamedTuple

from .files import read_int, read_line

_CPUS = "/sys/devices/system/cpu"


class IdleState(NamedTuple):
    """A state in which a CPU without work saves energy."""

    name: str
    #: Microseconds that leaving it takes.
    latency: int
    enabled: bool


class Power(NamedTuple):
    """Settings of the kernel's power management; virtual machines mostly hide them."""

    #: The frequency governors in use, such as ("performance",); empty where there is none.
    governors: tuple[str, ...]
    #: None where the kernel does not say.
    turbo: bool | None
    idle_states: tuple[IdleState, ...]


def read_power(cpus: Iterable[int], root: str = "") -> Power:
    """The settings of these CPUs; idle states are those of the first."""
    numbers = sorted(cpus)
    governors = {read_line(f"{root}{_CPUS}/cpu{n}/cpufreq/scaling_governor") for n in numbers}
    states = [state for first in numbers[:1] for state in _idle_states(first, root)]
    return Power(tuple(sorted(governors - {""})), _turbo(root), tuple(states))


def _turbo(root: str) -> bool | None:
    no_turbo = read_line(f"{root}{_CPUS}/intel_pstate/no_turbo")
    boost = read_line(f"{root}{_CPUS}/cpufreq/boost")
    if no_turbo:
        return no_turbo == "0"
    return boost == "1" if boost else None


def _idle_states(cpu: int, root: str) -> Iterator[IdleState]:
    for index in count():
        folder = f"{root}{_CPUS}/cpu{cpu}/cpuidle/state{index}"
        name = read_line(f"{folder}/name")
        if not name:
            return
        yield IdleState(name, read_int(f"{folder}/latency", 0),
                        read_line(f"{folder}/disable") != "1")
