"""BatchNorm: normalisation with statistics that are known, as in inference."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from time import perf_counter
from typing import Any

import numpy as np

from threadpool_iface import PrimitiveAttr, Stream

from ..compiling import kernel
from ..convolution.descriptor import AXES, checked_layout
from ..operands import checked
from ..post_ops import PostOp, describe, parse
from ..shapes import checked_dtype, checked_shape
from .base import Elementwise, extents
from .plan import ElementwiseDescriptor, arithmetic


@kernel
def _fold(mean, variance, weight, bias, epsilon, scale, shift):
    for c in range(scale.size):
        factor = weight[c] / np.sqrt(variance[c] + epsilon)
        scale[c] = factor
        shift[c] = bias[c] - mean[c] * factor


@dataclass(frozen=True)
class BatchNormDescriptor(ElementwiseDescriptor):
    """The shapes of `input_shapes` are those of source, scale and shift."""

    epsilon: float

    @property
    def channels(self) -> int:
        return prod(self.input_shapes[1])


class BatchNorm(Elementwise):
    """`out = post_ops((src - mean) / sqrt(variance + epsilon) * weight + bias)`, by channel.

    Parameters
    ----------
    src_shape : tuple of int
        (N, C, H, W) or (N, H, W, C), as `layout` says.
    layout : "nchw" or "nhwc"
        Of input and output; their strides are free.
    epsilon : float
        Added to the variance; not negative.
    dtype : dtype
        float32.
    post_ops : sequence of str or post-op
        As `Eltwise`'s functions.
    attr : PrimitiveAttr
        Bound on the tasks and when the split is chosen.

    Notes
    -----
    Computed as `fma(src, scale, shift)`, scale and shift in float64 and rounded once.

    Raises
    ------
    TypeError, ValueError
        Naming the argument, what was given and what is allowed.
    """

    kind = "bnorm"

    descriptor: BatchNormDescriptor

    def __new__(
        cls, src_shape: Sequence[int], *, layout: str = "nchw", epsilon: float = 1e-5,
        dtype: Any = "float32", post_ops: Sequence[str | PostOp] = (),
        attr: PrimitiveAttr = PrimitiveAttr(),  # noqa: B008
    ) -> BatchNorm:
        started = perf_counter()
        checked_layout(layout)
        src = checked_shape(src_shape, "src_shape", 4, exactly=4)
        if isinstance(epsilon, bool) or not isinstance(epsilon, (int, float)):
            raise TypeError(f"epsilon must be a float, not {epsilon!r}")
        if not 0 <= epsilon < float("inf"):
            raise ValueError(f"epsilon must be finite and not negative, not {epsilon}")
        ops = parse(post_ops)
        axis = AXES[layout][3]
        by_channel = tuple(extent if i == axis else 1 for i, extent in enumerate(src))
        text = f"--tag={layout} --flags=GCH {extents(src)} eps:{float(epsilon)!r}"
        if ops:
            text += " --attr-post-ops=" + describe(ops)
        descriptor = BatchNormDescriptor(
            src, (src, by_channel, by_channel), arithmetic(ops), "scale_shift", -1, ops,
            checked_dtype(dtype), text, float(epsilon))
        return cls._cached(descriptor, attr, started)

    def _example(self) -> tuple[np.ndarray, ...]:
        d = self.descriptor
        return (np.ones(d.shape, np.float32), *[np.ones(d.channels, np.float32)] * 4)

    def __call__(
        self, src: np.ndarray, mean: np.ndarray, variance: np.ndarray, weight: np.ndarray,
        bias: np.ndarray, *, out: np.ndarray | None = None, stream: Stream | None = None,
    ) -> np.ndarray:
        """Normalise.

        Parameters
        ----------
        src : ndarray of float32, shape `src_shape`
            Any strides.
        mean, variance, weight, bias : ndarray of float32, shape (C,)
            The channels' statistics, scale and shift.
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
        d = self.descriptor
        src = checked(src, "src", d.shape)
        given = {"mean": mean, "variance": variance, "weight": weight, "bias": bias}
        parameters = [checked(array, name, (d.channels,)) for name, array in given.items()]
        scale, shift = np.empty((2, d.channels), np.float32)
        _fold(*parameters, d.epsilon, scale, shift)
        by_channel = d.input_shapes[1]
        return self._run(out, stream, src, scale.reshape(by_channel), shift.reshape(by_channel))
