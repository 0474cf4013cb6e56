"""Softmax along one axis."""

from __future__ import annotations

from collections.abc import Sequence
from time import perf_counter
from typing import Any

from threadpool_iface import PrimitiveAttr
from threadpool_iface.arguments import checked_int

from ..microkernels import rows
from ..shapes import checked_dtype, checked_shape
from .base import Unary, extents, refuse_many_dimensions
from .plan import ElementwiseDescriptor


class Softmax(Unary):
    """`out = exp(src - max src) / sum exp(src - max src)` along one axis, in float32.

    Parameters
    ----------
    shape : tuple of int
        Of input and output, 1 to 8 dimensions; any extent may be 0.
    axis : int
        The axis that sums to 1; negative ones count from the end.
    dtype : dtype
        float32.
    attr : PrimitiveAttr
        Bound on the tasks and when the split is chosen.

    Notes
    -----
    A NaN makes its whole row NaN, and so does plus infinity. The sum's order follows from the
    axis's length and the instruction set, so the result has the same bits for every bound, pool and
    stride.

    Raises
    ------
    TypeError, ValueError
        Naming the argument, what was given and what is allowed.
    """

    kind = "softmax"
    family = "softmax"

    def __new__(
        cls, shape: Sequence[int], axis: int = -1, *, dtype: Any = "float32",
        attr: PrimitiveAttr = PrimitiveAttr(),  # noqa: B008
    ) -> Softmax:
        started = perf_counter()
        checked_ = checked_shape(shape, "shape", 1)
        refuse_many_dimensions(checked_, "shape")
        dims = len(checked_)
        inner = checked_int(axis, "axis", -dims, dims - 1) % dims
        text = f"--axis={inner} {extents(checked_)}"
        descriptor = ElementwiseDescriptor(
            checked_, (checked_,), rows.SOFTMAX, "copy", inner, (), checked_dtype(dtype), text)
        return cls._cached(descriptor, attr, started)
