"""Verbose lines, summed for each kernel."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import NamedTuple

_THREADS = re.compile(r"created:(\d+)/ran:(\d+)")
_FIELDS = 10


class Kernel(NamedTuple):
    """What executions have in common that are summed together."""

    primitive: str
    kernel: str
    isa: str
    #: Empty where shapes are summed together too.
    shape: str = ""


class Mismatch(NamedTuple):
    """Executions that had other threads than tasks."""

    created: int
    ran: int
    calls: int


@dataclass(slots=True)
class Sum:
    """Executions of one kernel."""

    calls: int = 0
    milliseconds: float = 0.0
    #: How often it was created for so many tasks, and ran on so many threads.
    teams: Counter[tuple[int, int]] = field(default_factory=Counter)
    pools: Counter[str] = field(default_factory=Counter)

    @property
    def threads(self) -> tuple[int, ...]:
        """Numbers of threads that executions ran on, ascending."""
        return tuple(sorted({ran for _, ran in self.teams}))

    @property
    def mismatches(self) -> list[Mismatch]:
        """The most frequent first."""
        return [Mismatch(created, ran, calls)
                for (created, ran), calls in self.teams.most_common() if created != ran]


class Sums:
    """The sums of a program; `add` a line at a time."""

    def __init__(self, *, by_shape: bool = False) -> None:
        self._by_shape = by_shape
        self._sums: dict[Kernel, Sum] = {}

    def add(self, line: str) -> None:
        """Count an execution; lines that tell of something else are left out."""
        fields = line.rstrip("\n").split(",")
        if fields[:2] != ["threadpool_iface", "exec"] or len(fields) != _FIELDS:
            return
        team = _THREADS.fullmatch(fields[7])
        if team is None:
            return
        kernel, _, isa = fields[3].partition(":")
        key = Kernel(fields[2], kernel, isa, fields[4] if self._by_shape else "")
        found = self._sums.setdefault(key, Sum())
        found.calls += 1
        found.milliseconds += float(fields[9])
        found.teams[int(team[1]), int(team[2])] += 1
        found.pools[fields[8]] += 1

    @property
    def milliseconds(self) -> float:
        """Of all executions; those that ran at the same time count each."""
        return sum(each.milliseconds for each in self._sums.values())

    def kernels(self) -> list[tuple[Kernel, Sum]]:
        """What took longest first."""
        return sorted(self._sums.items(), key=lambda item: -item[1].milliseconds)
