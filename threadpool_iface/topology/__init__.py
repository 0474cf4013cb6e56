"""What the machine has, and what its limits allow this process."""

from typing import TYPE_CHECKING, Any

from .cpu_pool import CPUPool
from .limits import allowed_cpus, cpu_quota, default_num_threads, existing_cpus

if TYPE_CHECKING:
    from .machine import Machine, read_machine
    from .memory import memory_policy
    from .touching import first_touch

__all__ = [
    "CPUPool",
    "Machine",
    "allowed_cpus",
    "cpu_quota",
    "default_num_threads",
    "existing_cpus",
    "first_touch",
    "memory_policy",
    "read_machine",
]

#: Read when first asked for: most programs never do, and all import this package.
_LAZY = {"Machine": "machine", "read_machine": "machine", "memory_policy": "memory",
         "first_touch": "touching"}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f".{_LAZY[name]}", __name__), name)
