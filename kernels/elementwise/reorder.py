"""Reorder: the same array in another layout."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np

from threadpool_iface import PrimitiveAttr

from ..microkernels import rows
from ..shapes import checked_dtype, checked_shape
from .base import Unary, extents, refuse_many_dimensions
from .plan import ElementwiseDescriptor


@dataclass(frozen=True)
class ReorderDescriptor(ElementwiseDescriptor):
    """`axes` are the source's, in the order of the output."""

    axes: tuple[int, ...]


class Reorder(Unary):
    """A copy with the axes in another order, in float32: `Reorder(shape, "nchw", "nhwc")`.

    Parameters
    ----------
    src_shape : tuple of int
        1 to 8 dimensions; any extent may be 0.
    src_layout, dst_layout : str
        One letter for each axis, the same letters in both: "nchw" and "nhwc", "ab" and "ba".
    dtype : dtype
        float32.
    attr : PrimitiveAttr
        Bound on the tasks and when the split is chosen.

    Raises
    ------
    TypeError, ValueError
        Naming the argument, what was given and what is allowed.
    """

    kind = "reorder"

    descriptor: ReorderDescriptor

    def __new__(
        cls, src_shape: Sequence[int], src_layout: str, dst_layout: str, *, dtype: Any = "float32",
        attr: PrimitiveAttr = PrimitiveAttr(),  # noqa: B008
    ) -> Reorder:
        started = perf_counter()
        src = checked_shape(src_shape, "src_shape", 1)
        refuse_many_dimensions(src, "src_shape")
        for name, layout in (("src_layout", src_layout), ("dst_layout", dst_layout)):
            _check_layout(layout, name, len(src))
        if set(src_layout) != set(dst_layout):
            raise ValueError(f"dst_layout must have the letters of src_layout {src_layout!r}, not "
                             f"{dst_layout!r}")
        axes = tuple(src_layout.index(letter) for letter in dst_layout)
        text = f"--stag={src_layout} --dtag={dst_layout} {extents(src)}"
        descriptor = ReorderDescriptor(
            tuple(src[axis] for axis in axes), (src,), rows.ARITHMETIC, "copy", -1, (),
            checked_dtype(dtype), text, axes)
        return cls._cached(descriptor, attr, started)

    def _arranged(self, src: np.ndarray) -> np.ndarray:
        return src.transpose(self.descriptor.axes)


def _check_layout(layout: Any, name: str, dims: int) -> None:
    if not isinstance(layout, str):
        raise TypeError(f'{name} must be letters such as "nchw", not {layout!r}')
    if len(layout) != dims or len(set(layout)) != dims:
        raise ValueError(f"{name} must have {dims} different letters, not {layout!r}")
