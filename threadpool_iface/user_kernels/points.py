"""parallel_nd for compiled bodies: the points of a range of a grid, row by row."""

from __future__ import annotations

from typing import Any

from numba import njit

from .identity import identify
from .options import NOT_GIVEN
from .regions import run_loop

_MOST = 2**63 - 1


def _points(body: Any, skip: int) -> Any:
    """The body for a range of points, given six extents of which the first `skip` are ones."""

    def points(begin, end, extents, args):  # type: ignore[no-untyped-def]
        # A row at a time: dividing costs more than many a body.
        while begin < end:
            row, first = divmod(begin, extents[5])
            last = min(extents[5], first + end - begin)
            begin += last - first
            row, e = divmod(row, extents[4])
            row, d = divmod(row, extents[3])
            row, c = divmod(row, extents[2])
            a, b = divmod(row, extents[1])
            for f in range(first, last):
                body(*((a, b, c, d, e, f)[skip:] + args))

    return njit(identify(points, "points", (body,)))


def walking(body: Any, ndim: int) -> Any:
    """A compiled function `walk(dims, args)`: the body for each point of a grid of `ndim`."""
    points, ones = _points(body, 6 - ndim), (1,) * (6 - ndim)

    def walk(dims, args):  # type: ignore[no-untyped-def]
        total = 1
        for extent in dims:
            if extent < 0:
                raise ValueError("dims must be integers of at least 0")
            if extent > 0 and total > _MOST // extent:
                raise ValueError("dims must have a product below 2**63")
            total *= extent
        run_loop(total, NOT_GIVEN, 0, NOT_GIVEN, 0.0, points, (ones + dims, args))

    return njit(identify(walk, f"walk{ndim}", (body,)))
