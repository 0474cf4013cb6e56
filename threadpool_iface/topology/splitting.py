"""Sharing out CPUs: one per physical core, or in contiguous parts that stay on a socket."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache

from .cpus import Cpu


def one_per_core(cpus: Iterable[Cpu]) -> list[int]:
    """The first hardware thread of each physical core."""
    return [cpu.number for cpu in cpus if cpu.thread == 0]


def split(cpus: Sequence[Cpu], parts: int) -> list[list[int]]:
    """Even, contiguous parts, the larger ones first; as few as possible across sockets.

    Contiguous means side by side in the machine: hardware threads of a core, cores of a package.
    Parts that stay on a socket are cut first; what sockets have left over makes up the others.

    >>> split([Cpu(0, 0, 0, 0), Cpu(1, 0, 1, 0), Cpu(2, 1, 0, 0), Cpu(3, 1, 1, 0)], 2)
    [[0, 1], [2, 3]]
    """
    sockets = _by_socket(cpus)
    small, large = divmod(len(cpus), parts)
    room = tuple(len(socket) for socket in sockets)
    counts = _best(room, small, large, parts - large)
    of_large, of_small = (
        [_cut(socket, size) for socket, count in zip(sockets, counts, strict=True)
         for size in [length] * count[which]]
        for which, length in enumerate((small + 1, small)))
    rest = [cpu for socket in sockets for cpu in socket]
    of_large += [_cut(rest, small + 1) for _ in range(large - len(of_large))]
    of_small += [_cut(rest, small) for _ in range(parts - large - len(of_small))]
    return of_large + of_small


def _by_socket(cpus: Iterable[Cpu]) -> list[list[int]]:
    sockets: dict[int, list[int]] = {}
    for cpu in sorted(cpus, key=lambda cpu: cpu[1:]):
        sockets.setdefault(cpu.package, []).append(cpu.number)
    return list(sockets.values())


def _cut(cpus: list[int], size: int) -> list[int]:
    part = cpus[:size]
    del cpus[:size]
    return part


def _best(room: tuple[int, ...], small: int, large: int, few: int) -> tuple[tuple[int, int], ...]:
    """How many parts of small + 1 and of small CPUs to cut from each socket: as many as possible.

    `large` and `few` are how many there are of each. Greedy cuts lose a part on unequal sockets: of
    7 and 5 CPUs, 3+3 and 2+2 leave a fifth part of 2 without a socket, 3+2+2 and 3+2 do not.
    """

    @cache
    def best(socket: int, large: int, few: int) -> tuple[int, tuple[tuple[int, int], ...]]:
        if socket == len(room):
            return 0, ()
        choices = []
        for i in range(min(large, room[socket] // (small + 1)), -1, -1):
            j = min(few, (room[socket] - i * (small + 1)) // small)
            total, others = best(socket + 1, large - i, few - j)
            choices.append((i + j + total, ((i, j), *others)))
        return max(choices, key=lambda choice: choice[0])

    return best(0, large, few)[1]
