"""The CPUs and memory nodes of the cpuset that this process is in."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from .files import cpu_list, read_line
from .limits import cgroup_folders


class Cpuset(NamedTuple):
    """What a container runtime or batch system has left to this process."""

    #: Ascending; empty where no cpuset says anything.
    cpus: tuple[int, ...]
    #: NUMA nodes that memory may come from, ascending; empty where nothing says.
    nodes: tuple[int, ...]


def read_cpuset(root: str = "") -> Cpuset:
    """The innermost cpuset that says anything."""
    folders = list(cgroup_folders(f"{root}/sys/fs/cgroup", f"{root}/proc/self/cgroup", "cpuset"))
    return Cpuset(_first(folders, ("cpuset.cpus.effective", "cpuset.effective_cpus",
                                   "cpuset.cpus")),
                  _first(folders, ("cpuset.mems.effective", "cpuset.effective_mems",
                                   "cpuset.mems")))


def _first(folders: Iterable[str], names: Iterable[str]) -> tuple[int, ...]:
    lists = (cpu_list(read_line(f"{folder}/{name}")) for folder in folders for name in names)
    return tuple(next(filter(None, lists), ()))
