"""CPUPool: a set of CPUs to run on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Set
from typing import TYPE_CHECKING, Self

from ..arguments import checked_int
from .cpus import read_cpus
from .files import ranges
from .usable import only_usable, usable_cpus


class CPUPool(Set[int]):
    """CPUs that this process may use, as an immutable set: `pin`, `Task` and pools take one.

    Parameters
    ----------
    core_ids : iterable of int, optional
        The CPUs. By default all that the calling thread's affinity mask has; of a thread bound by
        `pin` or a `Task`, the mask before. Those that are not allowed are left out with a warning.
    node_id : int, optional
        Instead: those of a NUMA node that are allowed.

    Sets of CPUs combine with `|`, `&`, `-` and `^`, and compare with each other and with other
    sets; iterating goes through the CPUs in ascending order. One that `&` or `-` left empty is
    false, and refused wherever CPUs are needed.

    Raises
    ------
    TypeError
        `core_ids` is not an iterable of integers, `node_id` not an integer, or both are given.
    ValueError
        A CPU or the node does not exist; or none is left that is allowed.
    """

    __slots__ = ("_hashed", "_members", "core_ids")

    #: The CPUs, ascending.
    core_ids: tuple[int, ...]
    _members: frozenset[int]
    _hashed: int

    def __init__(
        self, core_ids: Iterable[int] | None = None, node_id: int | None = None
    ) -> None:
        if core_ids is not None and node_id is not None:
            raise TypeError("give core_ids or node_id, not both")
        if node_id is not None:
            self._set(_of_node(checked_int(node_id, "node_id", 0)))
        else:
            self._set(usable_cpus() if core_ids is None else _checked(core_ids))

    def _set(self, cpus: Iterable[int]) -> None:
        members = frozenset(cpus)
        object.__setattr__(self, "core_ids", tuple(sorted(members)))
        object.__setattr__(self, "_members", members)
        # Looked up at every `pin`; that of another set with these elements, which may equal us.
        object.__setattr__(self, "_hashed", hash(members))

    @classmethod
    def _of(cls, cpus: Iterable[int]) -> Self:
        """Without checks: CPUs of another pool, or none."""
        pool = cls.__new__(cls)
        pool._set(cpus)
        return pool

    @classmethod
    def physical(cls) -> Self:
        """One CPU of each physical core, where a core has several hardware threads (SMT)."""
        from .splitting import one_per_core

        return cls._of(one_per_core(read_cpus(usable_cpus())))

    def split(self, n: int) -> list[Self]:
        """`n` pools of these CPUs, as even as can be: the first ones have the CPUs that are over.

        Each is contiguous in the machine: hardware threads of a core together, then cores of a
        socket. Parts lie across sockets only where the sizes of sockets leave no other way.

        Raises
        ------
        TypeError, ValueError
            `n` is not an integer in 1..len(self).
        """
        from .splitting import split

        n = checked_int(n, "n", 1)
        if n > len(self):
            raise ValueError(f"n must be at most {len(self)}, the CPUs of {self!r}, not {n}")
        return [self._of(part) for part in split(read_cpus(self.core_ids), n)]

    def __contains__(self, cpu: object) -> bool:
        return cpu in self._members

    def __iter__(self) -> Iterator[int]:
        return iter(self.core_ids)

    def __len__(self) -> int:
        return len(self.core_ids)

    if TYPE_CHECKING:  # as `Set` has them, but of CPUs they make CPUPools
        def __and__(self, other: Set[object]) -> Self: ...
        def __sub__(self, other: Set[object]) -> Self: ...
        def __or__(self, other: Set[int]) -> Self: ...  # type: ignore[override]
        def __xor__(self, other: Set[int]) -> Self: ...  # type: ignore[override]

    def __hash__(self) -> int:
        return self._hashed

    def __eq__(self, other: object) -> bool:
        if isinstance(other, CPUPool):
            return self._members == other._members
        return super().__eq__(other)

    @classmethod
    def _from_iterable(cls, cpus: Iterable[int]) -> Self:  # type: ignore[override]
        """What the set operations make: the other operand may be any iterable."""
        cpus = list(cpus)
        return cls(cpus) if cpus else cls._of(())

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"a CPUPool cannot be changed: {name}")

    def __reduce__(self) -> tuple[type[Self], tuple[tuple[int, ...]]]:
        return type(self), (self.core_ids,)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({ranges(self.core_ids) or 'none'})"


def _checked(core_ids: Iterable[int]) -> list[int]:
    if isinstance(core_ids, (str, bytes)) or not hasattr(core_ids, "__iter__"):
        raise TypeError(f"core_ids must be an iterable of CPU numbers or None, not {core_ids!r}")
    cpus = [checked_int(cpu, f"core_ids[{i}]", 0) for i, cpu in enumerate(core_ids)]
    return only_usable(cpus, "core_ids", stacklevel=3)


def _of_node(number: int) -> list[int]:
    # Imported here, since whoever imports the library would wait for it, and few need it.
    from .nodes import read_nodes

    nodes = {node.number: node.cpus for node in read_nodes()} or {0: tuple(usable_cpus())}
    if number not in nodes:
        raise ValueError(f"node_id is {number}; this machine has NUMA nodes {sorted(nodes)}")
    usable = usable_cpus()
    cpus = [cpu for cpu in usable if cpu in nodes[number]]
    if not cpus:
        raise ValueError(f"node_id {number}, with CPUs {ranges(nodes[number]) or 'none'}, has none "
                         f"that this process may use: {ranges(usable)}")
    return cpus
