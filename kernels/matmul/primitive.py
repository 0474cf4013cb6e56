"""Matmul: the primitive a user creates and calls."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from time import perf_counter
from typing import Any

import numpy as np

from threadpool_iface import Decomposition, PrimitiveAttr, Stream

from ..microkernels import isa
from ..operands import DTYPES, checked, checked_bias, checked_out
from ..packed import PackedWeights
from ..post_ops import PostOp, parse
from ..primitive import Primitive, Split
from ..shapes import checked_dtype, checked_flag
from .decomposition import decompose
from .descriptor import MatmulDescriptor, describe_matmul
from .driver import execute, pack, tasks
from .plan import make_split, packed_elements, weights_layout


class Matmul(Primitive):
    """`out[..., m, n] = post_ops(sum_k a[..., m, k] * b[..., k, n] + bias[n])`, f32 or f64.

    Parameters
    ----------
    a_shape, b_shape : tuple of int
        Shapes of the arrays, (..., M, K) and (..., K, N), or with the last two dimensions swapped
        for a transposed operand. Batch dimensions broadcast as in NumPy. Any extent may be 0.
    dtype : dtype
        float32 or float64, of all operands.
    transpose_a, transpose_b : bool
        The operand is given transposed. Strides of the arrays are free in any case.
    bias : bool
        Whether calls take a bias of shape (N,).
    post_ops : sequence of str or post-op
        Applied in order after the bias: "relu", "relu6", "sum", "sigmoid", "silu", "tanh", "gelu",
        "gelu_tanh", or `Sum(scale)`, `Clip(low, high)`, `Function(name)`. float64 has
        relu, relu6, sum and Clip.
    attr : PrimitiveAttr
        Bound on the tasks and when the split is chosen.

    Notes
    -----
    Each element of `out` is a sum of sums over blocks of k, which the shape alone gives, so the
    result has the same bits for every bound, pool, stride, and for packed and plain `b`.
    docs/model.md says how large rounding errors are. Equal arguments give the same object, from the
    primitive cache. A primitive may be called from any number of threads at once.

    Raises
    ------
    TypeError, ValueError
        Naming the argument, what was given and what is allowed.
    """

    kind = "matmul"

    def __new__(
        cls, a_shape: Sequence[int], b_shape: Sequence[int], *, dtype: Any = "float32",
        transpose_a: bool = False, transpose_b: bool = False, bias: bool = False,
        post_ops: Sequence[str | PostOp] = (), attr: PrimitiveAttr = PrimitiveAttr(),  # noqa: B008
    ) -> Matmul:
        started = perf_counter()
        descriptor = describe_matmul(
            a_shape, b_shape, checked_dtype(dtype, tuple(DTYPES)),
            checked_flag(transpose_a, "transpose_a"), checked_flag(transpose_b, "transpose_b"),
            checked_flag(bias, "bias"), parse(post_ops),
        )
        return cls._cached(descriptor, attr, started)

    @property
    def kernel_name(self) -> str:
        return f"gemm_{self._isa.element}:{self._isa.name}"

    def __call__(
        self, a: np.ndarray, b: np.ndarray | PackedWeights, bias: np.ndarray | None = None, *,
        out: np.ndarray | None = None, stream: Stream | None = None,
    ) -> np.ndarray:
        """Multiply.

        Parameters
        ----------
        a : ndarray, shape `a_shape`
            Any strides.
        b : ndarray, shape `b_shape`, or what `pack_weights` returned
            Any strides.
        bias : ndarray, shape (N,), or None
            Exactly if the primitive was created with `bias=True`.
        out : ndarray, optional
            Where to write; any strides, no overlap with an input. Required by the post-op sum.
        stream : Stream, optional
            Where to run; the calling thread's effective pool by default.

        Returns
        -------
        ndarray, shape (..., M, N)
            `out`, or a new array.

        Raises
        ------
        TypeError, ValueError
            An operand that does not fit the descriptor.
        ThreadpoolError
            The pool is closed or failed.
        """
        d: MatmulDescriptor = self.descriptor
        dtype = DTYPES[d.dtype]
        a = checked(a, "a", d.a_shape, dtype)
        bias = checked_bias(bias, d.bias, d.n, dtype)
        if type(b) is PackedWeights:
            b = b.panels_for(self._weights_layout)
            result = checked_out(out, d.out_shape, d.needs_out, a, bias, dtype=dtype)
        else:
            b = checked(b, "b", d.b_shape, dtype)
            result = checked_out(out, d.out_shape, d.needs_out, a, b, bias, dtype=dtype)
        if result.size == 0:
            return result
        if result.strides[-1] != dtype.itemsize or not result.flags.aligned:
            return self._through_a_copy(a, b, bias, result, stream)
        self._run(a, b, bias, result, stream)
        return result

    def _run(
        self, a: np.ndarray, b: np.ndarray, bias: np.ndarray, out: np.ndarray,
        stream: Stream | None,
    ) -> None:
        run = execute(a.ndim, b.ndim, out.ndim, self.descriptor.dtype)
        self._execute(stream, run, tasks(), a, b, bias, out)

    def _through_a_copy(
        self, a: np.ndarray, b: np.ndarray, bias: np.ndarray, out: np.ndarray,
        stream: Stream | None,
    ) -> np.ndarray:
        """The rows of `out` are not contiguous: compute where they are, then copy."""
        rows = out.copy(order="C") if self.descriptor.needs_out else np.empty(out.shape, out.dtype)
        self._run(a, b, bias, rows, stream)
        out[...] = rows
        return out

    def pack_weights(self, b: np.ndarray) -> PackedWeights:
        """A snapshot of `b` in the kernel's own layout, accepted wherever `b` is.

        It is valid for every Matmul with the same `b_shape` and `transpose_b`, whatever its bound
        or batch; another one refuses it. Later changes of `b` do not reach it.
        """
        d: MatmulDescriptor = self.descriptor
        b = checked(b, "b", d.b_shape, DTYPES[d.dtype])
        run, task = pack(b.ndim, d.dtype), int(tasks()[1])
        return self._packed(
            lambda pool, plan, scratch, plain, panels: run(
                pool, plan, scratch, task, plain, panels),
            b, packed_elements(d, self._isa), self._weights_layout,
        )

    @property
    def _isa(self) -> isa.Isa:
        return isa.current("f64" if self.descriptor.dtype == "float64" else "f32")

    @cached_property
    def _weights_layout(self) -> tuple[object, ...]:
        return weights_layout(self.descriptor, self._isa)

    def _example(self) -> tuple[np.ndarray | PackedWeights, ...]:
        d: MatmulDescriptor = self.descriptor
        a, b = (np.ones(shape, d.dtype) for shape in (d.a_shape, d.b_shape))
        return a, self.pack_weights(b), *([np.ones(d.n, d.dtype)] * d.bias)

    def _decompose(self, bound: int) -> Decomposition:
        return decompose(self.descriptor, self._isa, bound)

    def _make_split(self, decomposition: Decomposition) -> Split:
        return make_split(self.descriptor, decomposition, self._isa)
