"""The kinds of cores of a hybrid CPU: fast ones, and ones that save energy."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from .files import cpu_list, read_int, read_line

#: The kernel's names for the kinds of Intel's hybrid CPUs; each has a performance counter unit.
_INTEL = {"cpu_core": "performance", "cpu_atom": "efficiency", "cpu_lowpower": "low-power"}
#: A core is a slow one below this share of the fastest one's capacity. A guess: favoured cores of
#: one kind differ by a few per cent, the kinds of ARM's big.LITTLE by half.
_SLOW = 0.7


class CoreKind(NamedTuple):
    """CPUs that are alike."""

    #: "performance", "efficiency" or "low-power"; "uniform" where all are alike.
    name: str
    #: Ascending.
    cpus: tuple[int, ...]


def read_kinds(cpus: Iterable[int], root: str = "") -> tuple[CoreKind, ...]:
    """The kinds among these CPUs, the fastest first; one called "uniform" if they are alike."""
    numbers = tuple(sorted(cpus))
    kinds = _intel(numbers, root) or _arm(numbers, root)
    return kinds if len(kinds) > 1 else (CoreKind("uniform", numbers),)


def _intel(numbers: tuple[int, ...], root: str) -> tuple[CoreKind, ...]:
    listed = {name: set(cpu_list(read_line(f"{root}/sys/devices/{unit}/cpus")))
              for unit, name in _INTEL.items()}
    kinds = (CoreKind(name, tuple(n for n in numbers if n in cpus))
             for name, cpus in listed.items())
    return tuple(kind for kind in kinds if kind.cpus)


def _arm(numbers: tuple[int, ...], root: str) -> tuple[CoreKind, ...]:
    capacity = {n: read_int(f"{root}/sys/devices/system/cpu/cpu{n}/cpu_capacity", 0)
                for n in numbers}
    limit = _SLOW * max(capacity.values(), default=0)
    fast = tuple(n for n in numbers if capacity[n] >= limit)
    slow = tuple(n for n in numbers if capacity[n] < limit)
    return tuple(CoreKind(name, each) for name, each in (("performance", fast),
                                                         ("efficiency", slow)) if each)
