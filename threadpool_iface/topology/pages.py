"""How the kernel hands out memory: huge pages, and moving pages between NUMA nodes."""

from __future__ import annotations

import re
from typing import NamedTuple

from .files import read_line


class Pages(NamedTuple):
    """Settings of the kernel's memory management."""

    #: Transparent huge pages: "always", "madvise", "never"; empty where there are none.
    huge: str
    #: Whether the kernel moves pages to the node that uses them; None where it cannot.
    balancing: bool | None


def read_pages(root: str = "") -> Pages:
    """The settings in force."""
    huge = re.search(r"\[(\w+)\]", read_line(f"{root}/sys/kernel/mm/transparent_hugepage/enabled"))
    balancing = read_line(f"{root}/proc/sys/kernel/numa_balancing")
    return Pages(huge[1] if huge else "", balancing != "0" if balancing else None)
