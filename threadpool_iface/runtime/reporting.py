"""How a program tells whoever measures it what it has done.

`THREADPOOL_IFACE_REPORT` names a file. Each report is a line of three numbers appended to it, in
one write: items done, the seconds they took, and the time at their end on CLOCK_MONOTONIC. Programs
in other languages may write such lines themselves. Without the variable nobody measures, and
reporting does nothing.
"""

from __future__ import annotations

import os
from functools import lru_cache
from time import monotonic
from typing import NamedTuple

VARIABLE = "THREADPOOL_IFACE_REPORT"


class Report(NamedTuple):
    """Items, the seconds they took, and when they were done, on CLOCK_MONOTONIC."""

    items: float
    seconds: float
    end: float


def report(items: float, seconds: float) -> None:
    """Say that `items` were done in the last `seconds`, for `threadpool-iface map`.

    To be called after each batch; costs a few microseconds. Does nothing in a program that nobody
    measures.

    Raises
    ------
    TypeError, ValueError
        One of them is not a number above 0.
    """
    for name, value in (("items", items), ("seconds", seconds)):
        if isinstance(value, bool) or not hasattr(value, "__float__"):
            raise TypeError(f"{name} must be a number, not {value!r}")
        if not 0 < value < float("inf"):
            raise ValueError(f"{name} must be a number above 0, not {value!r}")
    path = os.environ.get(VARIABLE)
    if path:
        os.write(_opened(path), f"{float(items)!r} {float(seconds)!r} {monotonic()!r}\n".encode())


@lru_cache(maxsize=1)
def _opened(path: str) -> int:
    return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)


def read_reports(text: str) -> list[Report]:
    """What a file holds; a last line that was cut off by a kill is left out.

    Raises
    ------
    ValueError
        Another line does not have three numbers.
    """
    lines = text.split("\n")[:-1]
    try:
        return [Report(*map(float, line.split())) for line in lines]
    except (TypeError, ValueError):
        raise ValueError(f"reports must be lines of three numbers, items, seconds and end; "
                         f"these are {lines[:3]}") from None
