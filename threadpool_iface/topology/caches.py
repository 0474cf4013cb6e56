"""Caches, and which CPUs share each."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import count
from typing import NamedTuple

from .files import cpu_list, read_int, read_line

_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}


class Cache(NamedTuple):
    """One cache of the machine."""

    level: int
    #: "data", "instruction" or "unified"
    kind: str
    #: Bytes; 0 where the kernel does not say.
    size: int
    #: The CPUs that share it, ascending.
    cpus: tuple[int, ...]


def read_caches(cpus: Iterable[int], root: str = "") -> tuple[Cache, ...]:
    """The caches of these CPUs, each once, by level and first CPU.

    Empty where the kernel hides them, as some virtual machines and most ARM boards do.
    """
    found = {_cache(folder, cpu) for cpu in cpus for folder in _folders(cpu, root)}
    return tuple(sorted(found, key=lambda cache: (cache.level, cache.cpus, cache.kind)))


def _folders(cpu: int, root: str) -> Iterable[str]:
    for index in count():
        folder = f"{root}/sys/devices/system/cpu/cpu{cpu}/cache/index{index}"
        if not read_line(f"{folder}/level"):
            return
        yield folder


def _cache(folder: str, cpu: int) -> Cache:
    size = re.fullmatch(r"(\d+)([KMG]?)", read_line(f"{folder}/size"))
    shared = cpu_list(read_line(f"{folder}/shared_cpu_list")) or [cpu]
    return Cache(read_int(f"{folder}/level", 0), read_line(f"{folder}/type").lower(),
                 int(size[1]) * _UNITS[size[2]] if size else 0, tuple(shared))
