"""Where each CPU sits: package, core, hardware thread; from the kernel's files."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from .files import cpu_list, read_int, read_text

SYSFS_CPUS = "/sys/devices/system/cpu"


class Cpu(NamedTuple):
    """A CPU and its ranks, each counted from 0 inside what contains it.

    `core` counts the cores of its package, `thread` the hardware threads of its core.
    """

    number: int
    package: int
    core: int
    thread: int


def read_cpus(numbers: Iterable[int], root: str = SYSFS_CPUS) -> list[Cpu]:
    """Where these CPUs sit, in ascending order of their numbers.

    A CPU about which the kernel says nothing (it may be offline, or the files hidden) counts as a
    core of its own in the first package.
    """
    numbers = sorted(numbers)
    cores: dict[int, list[tuple[int, int, int]]] = {}
    siblings: dict[tuple[int, int, int], list[int]] = {}
    places: dict[int, tuple[int, int, int]] = {}
    for number in numbers:
        key = places[number] = _place(number, root)
        siblings.setdefault(key, []).append(number)
        of_package = cores.setdefault(key[0], [])
        if key not in of_package:
            of_package.append(key)
    packages = sorted(cores)
    for keys in cores.values():
        keys.sort()
    return [
        Cpu(n, packages.index(key[0]), cores[key[0]].index(key), siblings[key].index(n))
        for n, key in ((n, places[n]) for n in numbers)
    ]


def _place(number: int, root: str) -> tuple[int, int, int]:
    """(package, core number in it, first of the CPUs that share the core).

    The kernel repeats a core number in every cluster or die of some machines, hence the third.
    """
    folder = f"{root}/cpu{number}/topology"
    sharing = cpu_list(read_text(f"{folder}/core_cpus_list")
                       or read_text(f"{folder}/thread_siblings_list") or "")
    return (read_int(f"{folder}/physical_package_id", 0), read_int(f"{folder}/core_id", number),
            min(sharing, default=number))
