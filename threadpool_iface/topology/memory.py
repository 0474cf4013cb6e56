"""memory_policy: which NUMA nodes the memory comes from that a thread touches first.

By the kernel's own calls, set_mempolicy(2) and get_mempolicy(2), which the C library does not have
and libnuma only wraps.
"""

from __future__ import annotations

import ctypes
import errno
import os
import threading
from collections.abc import Iterable
from types import TracebackType
from typing import NamedTuple

from ..arguments import checked_int
from ..errors import UnsupportedError
from .cpu_pool import CPUPool
from .nodes import read_nodes

#: From the kernel's include/uapi/linux/mempolicy.h.
_MODES = {"default": 0, "preferred": 1, "bind": 2, "interleave": 3, "local": 4}
_NEED_NODES = ("preferred", "bind", "interleave")
#: (set_mempolicy, get_mempolicy) in the kernel's tables of system calls.
_CALLS = {"x86_64": (238, 239), "aarch64": (237, 236), "riscv64": (237, 236),
          "loongarch64": (237, 236), "ppc64le": (261, 260), "s390x": (270, 269)}
#: The kernel refuses to say a policy into fewer bits than nodes it was built for, at most 1024.
_MAX_NODES = 1024
_WORD = 8 * ctypes.sizeof(ctypes.c_ulong)
_Mask = ctypes.c_ulong * (_MAX_NODES // _WORD)


class _Policy(NamedTuple):
    mode: int
    nodes: frozenset[int]


class _Blocks(threading.local):
    """What this thread's `memory_policy` blocks have to restore."""

    def __init__(self) -> None:
        self.before: list[tuple[memory_policy, _Policy]] = []


_blocks = _Blocks()


class memory_policy:  # noqa: N801 - used like a function
    """`with memory_policy("bind", [0]):` memory that the block touches first comes from node 0.

    It holds for the calling thread and for threads that are started inside, and leaves pages alone
    that were touched before. Leaving restores the policy; blocks nest.

    Parameters
    ----------
    mode : "bind", "preferred", "interleave", "local" or "default"
        From these nodes only; from this one as long as it has some; from these in turn; from the
        node that the thread runs on; as the system does by default, which is the same.
    nodes : iterable of int or CPUPool, optional
        NUMA nodes, or cores whose nodes are meant; for the first three modes.

    Raises
    ------
    TypeError, ValueError
        An argument outside its domain; a node that does not exist.
    UnsupportedError
        On entering: the kernel has no NUMA, or forbids the call, as some containers do.
    RuntimeError
        Left in another thread, or before a block entered later.
    """

    def __init__(self, mode: str, nodes: Iterable[int] | CPUPool | None = None) -> None:
        if mode not in _MODES:
            raise ValueError(f"mode must be one of {', '.join(_MODES)}, not {mode!r}")
        self._mode = mode
        self._policy = _Policy(_MODES[mode], _checked_nodes(mode, nodes))

    def __enter__(self) -> None:
        before = _get_policy()
        _set_policy(self._policy)
        _blocks.before.append((self, before))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if not _blocks.before or _blocks.before[-1][0] is not self:
            raise RuntimeError(f"{self!r} is left out of order or in another thread")
        _set_policy(_blocks.before.pop()[1])

    def __repr__(self) -> str:
        nodes = f", {sorted(self._policy.nodes)}" if self._policy.nodes else ""
        return f"memory_policy({self._mode!r}{nodes})"


def _checked_nodes(mode: str, nodes: Iterable[int] | CPUPool | None) -> frozenset[int]:
    if (nodes is not None) != (mode in _NEED_NODES):
        need = "needs nodes" if nodes is None else f"takes no nodes, not {nodes!r}"
        raise ValueError(f"mode {mode!r} {need}")
    if nodes is None:
        return frozenset()
    exist = read_nodes()
    if isinstance(nodes, CPUPool):
        wanted = [node.number for node in exist if not nodes.isdisjoint(node.cpus)]
    elif hasattr(nodes, "__iter__") and not isinstance(nodes, (str, bytes)):
        wanted = [checked_int(node, f"nodes[{i}]", 0) for i, node in enumerate(nodes)]
    else:
        raise TypeError(f"nodes must be NUMA nodes or a CPUPool, not {nodes!r}")
    numbers = [node.number for node in exist]
    for node in wanted:
        if node not in numbers and numbers:
            raise ValueError(f"nodes has {node}; this machine has NUMA nodes {numbers}")
    if not wanted and numbers:
        raise ValueError(f"mode {mode!r} needs at least one node")
    return frozenset(wanted)


def _set_policy(policy: _Policy) -> None:
    mask = _Mask()
    for node in policy.nodes:
        mask[node // _WORD] |= 1 << node % _WORD
    # The kernel reads one bit less than it is told.
    _call(0, policy.mode, mask if policy.nodes else None, _MAX_NODES + 1 if policy.nodes else 0)


def _get_policy() -> _Policy:
    mode, mask = ctypes.c_int(), _Mask()
    _call(1, ctypes.byref(mode), mask, _MAX_NODES + 1, None, 0)
    nodes = (node for node in range(_MAX_NODES) if mask[node // _WORD] >> node % _WORD & 1)
    return _Policy(mode.value, frozenset(nodes))


def _call(which: int, *arguments: object) -> None:
    machine = os.uname().machine
    if machine not in _CALLS:
        raise UnsupportedError(f"the numbers of the kernel's memory policy calls are not known for "
                               f"{machine}")
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.syscall(ctypes.c_long(_CALLS[machine][which]), *arguments) == 0:
        return
    error = ctypes.get_errno()
    if error == errno.ENOSYS:
        raise UnsupportedError("this kernel has no NUMA: memory has one place to come from")
    if error == errno.EPERM:
        raise UnsupportedError("this process may not set a memory policy; a container needs the "
                               "capability SYS_NICE for it")
    raise OSError(error, os.strerror(error))
