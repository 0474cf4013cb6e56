"""Checks of shapes, flags and dtypes, shared by every primitive's creation."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from threadpool_iface.arguments import checked_int

Shape = tuple[int, ...]

#: Elements in an array must be addressable with 63-bit byte offsets.
MAX_ELEMENTS = 2**60


def checked_shape(
    shape: Sequence[int], name: str, least: int, exactly: int | None = None
) -> Shape:
    """`shape` as a tuple of non-negative ints with `least` or more (or `exactly` n) entries."""
    if isinstance(shape, (str, bytes)) or not hasattr(shape, "__iter__"):
        raise TypeError(f"{name} must be a tuple of integers, not {shape!r}")
    checked = tuple(checked_int(extent, f"{name}[{i}]", 0) for i, extent in enumerate(shape))
    if exactly is not None and len(checked) != exactly:
        raise ValueError(f"{name} must have {exactly} dimensions, not {len(checked)}: {checked}")
    if len(checked) < least:
        raise ValueError(f"{name} must have at least {least} dimensions, not {checked}")
    if prod(checked) > MAX_ELEMENTS:
        raise ValueError(f"{name} {checked} has more than 2**60 elements")
    return checked


def checked_flag(value: Any, name: str) -> bool:
    if not isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{name} must be True or False, not {value!r}")
    return bool(value)


def checked_dtype(dtype: Any, allowed: tuple[str, ...] = ("float32",)) -> str:
    """The dtype's name, one of those that the primitive has."""
    try:
        name = np.dtype(dtype).name
    except TypeError:
        raise TypeError(f"dtype must be a NumPy dtype or its name, not {dtype!r}") from None
    if name not in allowed:
        raise ValueError(f"dtype must be {' or '.join(allowed)}, not {name}")
    return name
