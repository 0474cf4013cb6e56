"""NUMA nodes: which CPUs and how much memory each has, and how far they are from each other."""

from __future__ import annotations

import re
from typing import NamedTuple

from .files import cpu_list, read_line


class Node(NamedTuple):
    """A NUMA node. One without CPUs has memory only, as that of CXL cards."""

    number: int
    #: Ascending.
    cpus: tuple[int, ...]
    #: Bytes; 0 where the kernel does not say.
    memory: int
    #: To every node, in the order of their numbers; 10 is the node itself.
    distances: tuple[int, ...]


def read_nodes(root: str = "") -> tuple[Node, ...]:
    """The nodes that are online, ascending; none on a kernel without NUMA."""
    folder = f"{root}/sys/devices/system/node"
    return tuple(_node(number, f"{folder}/node{number}")
                 for number in cpu_list(read_line(f"{folder}/online")))


def _node(number: int, folder: str) -> Node:
    total = re.search(r"MemTotal:\s*(\d+) kB", read_line(f"{folder}/meminfo"))
    distances = read_line(f"{folder}/distance").split()
    return Node(number, tuple(cpu_list(read_line(f"{folder}/cpulist"))),
                1024 * int(total[1]) if total else 0, tuple(int(text) for text in distances))
