"""Concat: arrays one behind the other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from threadpool_iface import PrimitiveAttr, Stream
from threadpool_iface.arguments import checked_int

from ..operands import checked, checked_out
from ..shapes import Shape, checked_shape
from .eltwise import Eltwise


class Concat:
    """The inputs one behind the other along an axis, in float32: one region for each.

    A primitive that can write into a slice of the result, as all of them can with `out=`, saves the
    copy.

    Parameters
    ----------
    src_shapes : sequence of tuples of int
        1 to 8 dimensions each, equal but for `axis`; any extent may be 0.
    axis : int
        Negative ones count from the end.
    dtype : dtype
        float32.
    attr : PrimitiveAttr
        Bound on the tasks of each copy.

    Raises
    ------
    TypeError, ValueError
        Naming the argument, what was given and what is allowed.
    """

    def __init__(
        self, src_shapes: Sequence[Sequence[int]], axis: int = -1, *, dtype: Any = "float32",
        attr: PrimitiveAttr = PrimitiveAttr(),  # noqa: B008
    ) -> None:
        if isinstance(src_shapes, (str, bytes)) or not hasattr(src_shapes, "__iter__"):
            raise TypeError(f"src_shapes must be a sequence of shapes, not {src_shapes!r}")
        shapes = [checked_shape(s, f"src_shapes[{i}]", 1) for i, s in enumerate(src_shapes)]
        if not shapes:
            raise ValueError("src_shapes is empty")
        dims = len(shapes[0])
        self.axis = checked_int(axis, "axis", -dims, dims - 1) % dims
        for i, shape in enumerate(shapes):
            if self._others(shape) != self._others(shapes[0]):
                raise ValueError(f"src_shapes[{i}] is {shape}, which differs from src_shapes[0] "
                                 f"{shapes[0]} elsewhere than in axis {self.axis}")
        self.src_shapes = tuple(shapes)
        self.out_shape = (*shapes[0][: self.axis], sum(s[self.axis] for s in shapes),
                          *shapes[0][self.axis + 1 :])
        self._copies = [Eltwise(shape, dtype=dtype, attr=attr) for shape in shapes]

    def _others(self, shape: Shape) -> tuple[Shape, Shape]:
        return shape[: self.axis], shape[self.axis + 1 :]

    def __call__(
        self, sources: Sequence[np.ndarray], *, out: np.ndarray | None = None,
        stream: Stream | None = None,
    ) -> np.ndarray:
        """Copy.

        Parameters
        ----------
        sources : sequence of ndarray of float32, shapes `src_shapes`
            Any strides.
        out : ndarray of float32, optional
            Where to write; any strides, no overlap with an input.
        stream : Stream, optional
            Where to run; the calling thread's effective pool by default.

        Returns
        -------
        ndarray of float32, shape `out_shape`
            `out`, or a new array.

        Raises
        ------
        TypeError, ValueError
            An operand that does not fit.
        ThreadpoolError
            The pool is closed or failed.
        """
        try:
            given = tuple(sources)
        except TypeError:
            raise TypeError(f"sources must be a sequence of arrays, not {sources!r}") from None
        if len(given) != len(self.src_shapes):
            raise ValueError(f"sources must be {len(self.src_shapes)} arrays, not {len(given)}")
        arrays = [checked(source, f"sources[{i}]", shape)
                  for i, (source, shape) in enumerate(zip(given, self.src_shapes, strict=True))]
        result = checked_out(out, self.out_shape, False, *arrays)
        start = 0
        for copy, array in zip(self._copies, arrays, strict=True):
            end = start + array.shape[self.axis]
            copy(array, out=result[(slice(None),) * self.axis + (slice(start, end),)],
                 stream=stream)
            start = end
        return result

    def __repr__(self) -> str:
        shapes = ":".join("x".join(map(str, shape)) for shape in self.src_shapes)
        return f"<Concat --axis={self.axis} {shapes}>"
