"""What a Matmul computes, as a value: shapes, transposes, bias, post-ops."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod

import numpy as np

from ..post_ops import PostOp, Sum, describe, refuse_functions
from ..shapes import Shape, checked_shape


@dataclass(frozen=True)
class MatmulDescriptor:
    """`out[..., m, n] = post_ops(sum_k a[..., m, k] * b[..., k, n] + bias[n])`.

    `a_shape` and `b_shape` are the arrays' own; a transposed operand has its last two dimensions
    the other way round. Batch dimensions broadcast as in NumPy.
    """

    a_shape: Shape
    b_shape: Shape
    dtype: str
    transpose_a: bool
    transpose_b: bool
    bias: bool
    post_ops: tuple[PostOp, ...]
    batch: Shape
    m: int
    n: int
    k: int

    @cached_property
    def out_shape(self) -> Shape:
        return (*self.batch, self.m, self.n)

    @cached_property
    def needs_out(self) -> bool:
        return any(isinstance(op, Sum) for op in self.post_ops)

    @property
    def b_matrices(self) -> int:
        """Matrices in B's own batch, before broadcasting."""
        return prod(self.b_shape[:-2])

    @property
    def flops(self) -> int:
        """Floating-point operations: two for each multiply-add of the sum."""
        return 2 * prod(self.batch) * self.m * self.n * self.k

    def __str__(self) -> str:
        """In benchdnn's notation."""
        shapes = ":".join("x".join(map(str, s)) for s in (self._plain_a(), self._plain_b()))
        flags = (" --attr-post-ops=" + describe(self.post_ops)) * bool(self.post_ops)
        tags = "".join(
            f" --{name}tag=" + "abcdefgh"[: len(shape)][:-2] + "ba"
            for name, shape, swap in (
                ("s", self.a_shape, self.transpose_a), ("w", self.b_shape, self.transpose_b)
            )
            if swap
        )
        kind = "f64" if self.dtype == "float64" else "f32"
        types = " --dt=f64" * (kind == "f64") + f" --bia-dt={kind}" * self.bias
        return shapes + tags + types + flags

    def _plain_a(self) -> Shape:
        return (*self.a_shape[:-2], self.m, self.k)

    def _plain_b(self) -> Shape:
        return (*self.b_shape[:-2], self.k, self.n)


def describe_matmul(
    a_shape: Sequence[int], b_shape: Sequence[int], dtype: str, transpose_a: bool,
    transpose_b: bool, bias: bool, post_ops: tuple[PostOp, ...],
) -> MatmulDescriptor:
    """Check the arguments of `Matmul` and derive the problem's extents.

    Raises
    ------
    TypeError, ValueError
        Naming the argument, what was given and what is allowed.
    """
    refuse_functions(post_ops, dtype)
    a, b = checked_shape(a_shape, "a_shape", 2), checked_shape(b_shape, "b_shape", 2)
    m, k = reversed(a[-2:]) if transpose_a else a[-2:]
    k_of_b, n = reversed(b[-2:]) if transpose_b else b[-2:]
    if k != k_of_b:
        raise ValueError(
            f"a_shape {a} and b_shape {b} do not multiply: a has {k} columns"
            f"{' (transposed)' * transpose_a}, b {k_of_b} rows{' (transposed)' * transpose_b}"
        )
    try:
        batch = np.broadcast_shapes(a[:-2], b[:-2])
    except ValueError:
        raise ValueError(
            f"batch dimensions of a_shape {a} and b_shape {b} do not broadcast"
        ) from None
    return MatmulDescriptor(
        a, b, dtype, transpose_a, transpose_b, bias, post_ops, tuple(batch), m, n, k
    )
