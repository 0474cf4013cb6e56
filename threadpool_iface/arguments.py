"""Checks of integer arguments, with errors that name them."""

from __future__ import annotations

from operator import index
from typing import Any

#: The most threads a pool may have, and the most tasks a decomposition; as in the C header.
MAX_THREADS = 4096


def checked_int(value: Any, name: str, low: int, high: int | None = None) -> int:
    """`value` as an int in `low..high`.

    Raises
    ------
    TypeError
        It is a bool or not an integer.
    ValueError
        It is outside the range.
    """
    if type(value) is int and low <= value and (high is None or value <= high):
        return value  # nearly always, and the checks take longer than many a region
    # NumPy's bool has no __index__, so only Python's own needs a look.
    if isinstance(value, bool):
        raise TypeError(f"{name} must be an integer, not {value!r}")
    try:
        number = index(value)
    except TypeError:
        raise TypeError(f"{name} must be an integer, not {value!r}") from None
    if number < low or (high is not None and number > high):
        allowed = f"at least {low}" if high is None else f"in {low}..{high}"
        raise ValueError(f"{name} must be {allowed}, not {number}")
    return number
