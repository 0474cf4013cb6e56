"""Binary: arithmetic of two arrays."""

from __future__ import annotations

from collections.abc import Sequence
from time import perf_counter
from typing import Any

import numpy as np

from threadpool_iface import PrimitiveAttr, Stream

from ..operands import checked
from ..post_ops import PostOp, describe, parse
from ..shapes import checked_dtype, checked_shape
from .base import Elementwise, extents, refuse_many_dimensions
from .plan import ElementwiseDescriptor, arithmetic

OPERATIONS = ("add", "sub", "mul", "div", "max", "min")


class Binary(Elementwise):
    """`out = post_ops(a op b)` for each element, in float32.

    Parameters
    ----------
    operation : "add", "sub", "mul", "div", "max" or "min"
        A NaN on either side of "max" and "min" wins, as in `numpy.maximum`.
    a_shape, b_shape : tuple of int
        1 to 8 dimensions, broadcast as in NumPy; any extent may be 0.
    dtype : dtype
        float32.
    post_ops : sequence of str or post-op
        As `Eltwise`'s functions.
    attr : PrimitiveAttr
        Bound on the tasks and when the split is chosen.

    Raises
    ------
    TypeError, ValueError
        Naming the argument, what was given and what is allowed.
    """

    kind = "binary"

    def __new__(
        cls, operation: str, a_shape: Sequence[int], b_shape: Sequence[int], *,
        dtype: Any = "float32", post_ops: Sequence[str | PostOp] = (),
        attr: PrimitiveAttr = PrimitiveAttr(),  # noqa: B008
    ) -> Binary:
        started = perf_counter()
        if not isinstance(operation, str):
            raise TypeError(f"operation must be one of {list(OPERATIONS)}, not {operation!r}")
        if operation not in OPERATIONS:
            raise ValueError(f"operation must be one of {list(OPERATIONS)}, not {operation!r}")
        a, b = checked_shape(a_shape, "a_shape", 1), checked_shape(b_shape, "b_shape", 1)
        try:
            shape = tuple(np.broadcast_shapes(a, b))
        except ValueError:
            raise ValueError(f"a_shape {a} and b_shape {b} do not broadcast") from None
        refuse_many_dimensions(shape, "the broadcast shape")
        ops = parse(post_ops)
        text = f"--alg={operation} {extents(a)}:{extents(b)}"
        if ops:
            text += " --attr-post-ops=" + describe(ops)
        descriptor = ElementwiseDescriptor(
            shape, (a, b), arithmetic(ops), operation, -1, ops, checked_dtype(dtype), text)
        return cls._cached(descriptor, attr, started)

    def __call__(
        self, a: np.ndarray, b: np.ndarray, *, out: np.ndarray | None = None,
        stream: Stream | None = None,
    ) -> np.ndarray:
        """Compute.

        Parameters
        ----------
        a, b : ndarray of float32, shapes `a_shape` and `b_shape`
            Any strides.
        out : ndarray of float32, optional
            Where to write; any strides, no overlap with an input. Required by "sum".
        stream : Stream, optional
            Where to run; the calling thread's effective pool by default.

        Returns
        -------
        ndarray of float32
            `out`, or a new array.

        Raises
        ------
        TypeError, ValueError
            An operand that does not fit the descriptor.
        ThreadpoolError
            The pool is closed or failed.
        """
        a_shape, b_shape = self.descriptor.input_shapes
        return self._run(out, stream, checked(a, "a", a_shape), checked(b, "b", b_shape))
