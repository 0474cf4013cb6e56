"""What a launched program asks for: its share of the data, and to say how fast it was.

A program that was not launched is the only instance, so it runs as it stands without the launcher.
"""

from __future__ import annotations

import os
from numbers import Real
from time import monotonic
from typing import Any, Protocol, TypeVar

from ..decomposition import balance211

#: The number of an instance, from 0; how many there are; where it writes what it reports.
INDEX, COUNT = "THREADPOOL_IFACE_INSTANCE", "THREADPOOL_IFACE_INSTANCES"
REPORT = "THREADPOOL_IFACE_REPORT"

_T_co = TypeVar("_T_co", covariant=True)


class Sliceable(Protocol[_T_co]):
    """A list, a tuple, an array, ..."""

    def __len__(self) -> int: ...
    def __getitem__(self, part: slice, /) -> _T_co: ...


def shard(sequence: Sliceable[_T_co]) -> _T_co:
    """This instance's part of `sequence`: a slice; the whole of it in a program not launched.

    `sequence[begin:end]`, where `begin, end = balance211(len(sequence), instances, instance)`:
    contiguous parts in the order of the instances, whose sizes differ by at most one. An array's
    part is a view, along its first dimension.

    Raises
    ------
    TypeError
        `sequence` has no length or no slices.
    ValueError
        The launcher's variables were changed into something that makes no sense.
    """
    if not hasattr(sequence, "__len__") or not hasattr(sequence, "__getitem__"):
        raise TypeError(f"sequence must have a length and slices, not {sequence!r}")
    index, count = _place()
    begin, end = balance211(len(sequence), count, index)
    return sequence[begin:end]


def report_throughput(items: float, seconds: float) -> None:
    """Say that this instance did `items` in the last `seconds`.

    `threadpool-iface launch` adds up what instances say; several reports of one count as one of
    all items in all seconds. `threadpool-iface map` looks at each. In other programs it does
    nothing.

    It appends the line `throughput <items> <seconds> <now>` to the file that
    THREADPOOL_IFACE_REPORT names, which a program in another language can do as well; now is
    CLOCK_MONOTONIC, and may be left out.

    Raises
    ------
    TypeError, ValueError
        `items` is not a number of at least 0, or `seconds` not one above 0.
    """
    items, seconds = _number(items, "items"), _number(seconds, "seconds")
    if not seconds:
        raise ValueError("seconds must be above 0, not 0")
    path = os.environ.get(REPORT)
    if path:
        with open(path, "a", encoding="ascii") as file:
            file.write(f"throughput {items!r} {seconds!r} {monotonic()!r}\n")


def _number(value: Any, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(f"{name} must be a number, not {value!r}")
    number = float(value)
    if not 0 <= number < float("inf"):
        raise ValueError(f"{name} must be a finite number of at least 0, not {value!r}")
    return number


def _place() -> tuple[int, int]:
    texts = os.environ.get(INDEX, "0"), os.environ.get(COUNT, "1")
    if not all(text.isdecimal() for text in texts) or not int(texts[0]) < int(texts[1]):
        raise ValueError(f"{INDEX} must be a number below {COUNT}, not {texts[0]!r} of "
                         f"{texts[1]!r}")
    return int(texts[0]), int(texts[1])
