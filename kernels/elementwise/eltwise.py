"""Eltwise: functions of each element."""

from __future__ import annotations

from collections.abc import Sequence
from time import perf_counter
from typing import Any

from threadpool_iface import PrimitiveAttr

from ..post_ops import PostOp, describe, parse
from ..shapes import checked_dtype, checked_shape
from .base import Unary, extents, refuse_many_dimensions
from .plan import ElementwiseDescriptor, arithmetic


class Eltwise(Unary):
    """`out = f(src)` for each element, in float32.

    Parameters
    ----------
    shape : tuple of int
        Of input and output, 1 to 8 dimensions; any extent may be 0.
    functions : sequence of str or post-op
        Applied in order: "relu", "relu6", "sum", "sigmoid", "silu", "tanh", "gelu", "gelu_tanh", or
        `Sum(scale)`, `Clip(low, high)`, `Function(name)`. None is a copy.
    dtype : dtype
        float32.
    attr : PrimitiveAttr
        Bound on the tasks and when the split is chosen.

    Raises
    ------
    TypeError, ValueError
        Naming the argument, what was given and what is allowed.
    """

    kind = "eltwise"

    def __new__(
        cls, shape: Sequence[int], functions: Sequence[str | PostOp] = (), *,
        dtype: Any = "float32", attr: PrimitiveAttr = PrimitiveAttr(),  # noqa: B008
    ) -> Eltwise:
        started = perf_counter()
        checked_ = checked_shape(shape, "shape", 1)
        refuse_many_dimensions(checked_, "shape")
        ops = parse(functions, "functions")
        text = f"--alg={describe(ops) or 'copy'} {extents(checked_)}"
        descriptor = ElementwiseDescriptor(
            checked_, (checked_,), arithmetic(ops), "copy", -1, ops, checked_dtype(dtype), text)
        return cls._cached(descriptor, attr, started)
