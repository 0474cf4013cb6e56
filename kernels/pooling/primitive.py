"""Pool2d: the primitive a user creates and calls."""

from __future__ import annotations

from collections.abc import Sequence
from time import perf_counter
from typing import Any

import numpy as np

from threadpool_iface import Decomposition, PrimitiveAttr, Stream

from ..convolution.descriptor import AXES
from ..microkernels import isa
from ..operands import checked, checked_out
from ..primitive import Primitive, Split
from ..shapes import checked_dtype
from .descriptor import Pool2dDescriptor, describe_pool2d
from .driver import execute, tasks
from .plan import decompose, make_split


class Pool2d(Primitive):
    """Pooling in float32, over the windows of each channel of an image:

        out[n, c, y, x] = max or mean over i, j of src[n, c, y * sh + i - top, x * sw + j - left]

    Parameters
    ----------
    src_shape : tuple of int
        Shape of the input array in `layout`: (N, C, H, W) or (N, H, W, C).
    window : int or (int, int)
        Height and width; the image's own for global pooling.
    mode : "max", "average" or "average_include_padding"
        The maximum of the taps inside the image, NaN being the largest; their mean; or their sum
        over the number of all taps.
    stride : int or (int, int), optional
        The window by default.
    padding : int, (ph, pw) or (top, bottom, left, right)
        Positions around the image, fewer than the window has; they are no taps.
    layout : "nchw" or "nhwc"
        Of input and output. Their strides are free; contiguous NHWC is the fastest by far.
    dtype : dtype
        float32.
    attr : PrimitiveAttr
        Bound on the tasks and when the split is chosen.

    Notes
    -----
    A mean is a sum of sums of 64, divided once, so the result has the same bits for every bound,
    pool and stride, and rounding errors hardly grow with the window.

    Raises
    ------
    TypeError, ValueError
        Naming the argument, what was given and what is allowed.
    """

    kind = "pooling"

    def __new__(
        cls, src_shape: Sequence[int], window: int | tuple[int, int], *, mode: str = "max",
        stride: int | tuple[int, int] | None = None, padding: int | tuple[int, ...] = 0,
        layout: str = "nchw", dtype: Any = "float32",
        attr: PrimitiveAttr = PrimitiveAttr(),  # noqa: B008
    ) -> Pool2d:
        started = perf_counter()
        descriptor = describe_pool2d(src_shape, window, stride, padding, mode, layout,
                                     checked_dtype(dtype))
        return cls._cached(descriptor, attr, started)

    @property
    def kernel_name(self) -> str:
        return f"pooling_f32:{isa.current().name}"

    def __call__(
        self, src: np.ndarray, *, out: np.ndarray | None = None, stream: Stream | None = None
    ) -> np.ndarray:
        """Pool.

        Parameters
        ----------
        src : ndarray of float32, shape `src_shape`
            Any strides.
        out : ndarray of float32, optional
            Where to write; any strides, no overlap with `src`.
        stream : Stream, optional
            Where to run; the calling thread's effective pool by default.

        Returns
        -------
        ndarray of float32 in `layout`
            `out`, or a new array.

        Raises
        ------
        TypeError, ValueError
            An operand that does not fit the descriptor.
        ThreadpoolError
            The pool is closed or failed.
        """
        d: Pool2dDescriptor = self.descriptor
        src = checked(src, "src", d.src_shape)
        result = checked_out(out, d.out_shape, False, src)
        if result.size == 0:
            return result
        target = result if result.flags.aligned else result.copy()
        axes = AXES[d.layout]
        self._execute(stream, execute(), tasks(), src.transpose(axes), target.transpose(axes))
        if target is not result:
            result[...] = target
        return result

    def _example(self) -> tuple[np.ndarray, ...]:
        return (np.ones(self.descriptor.src_shape, self.descriptor.dtype),)

    def _decompose(self, bound: int) -> Decomposition:
        return decompose(self.descriptor, bound)

    def _make_split(self, decomposition: Decomposition) -> Split:
        return make_split(self.descriptor, decomposition, isa.current())
