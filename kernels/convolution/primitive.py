"""Conv2d: the primitive a user creates and calls."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from time import perf_counter
from typing import Any

import numpy as np

from threadpool_iface import Decomposition, PrimitiveAttr, Stream

from ..microkernels import isa
from ..operands import checked, checked_bias, checked_out
from ..packed import PackedWeights
from ..post_ops import PostOp, parse
from ..primitive import Primitive, Split
from ..shapes import checked_dtype, checked_flag
from . import decomposition as direct_decomposition
from . import driver as direct_driver
from . import plan as direct_plan
from .algorithm import DIRECT, choose_algorithm
from .descriptor import AXES, Conv2dDescriptor, describe_conv2d
from .winograd import driver as winograd_driver
from .winograd import plan as winograd_plan
from .winograd.geometry import geometry


class Conv2d(Primitive):
    """A 2-D convolution (cross-correlation) in float32:

        out[n, o, y, x] = post_ops(bias[o] + sum over c, i, j of weights[o, c, i, j]
            * src[n, group(o) + c, y * sh + i * dh - top, x * sw + j * dw - left])

    where taps outside the image are left out.

    Parameters
    ----------
    src_shape : tuple of int
        Shape of the input array in `layout`: (N, C, H, W) or (N, H, W, C).
    weights_shape : tuple of int
        (output channels, C // groups, KH, KW), in either layout.
    stride, dilation : int or (int, int)
        For height and width; a dilation of 1 is dense.
    padding : int, (ph, pw) or (top, bottom, left, right)
        Positions around the image; they contribute nothing, whatever the weights.
    groups : int
        Divides input and output channels; as many as channels is depthwise.
    layout : "nchw" or "nhwc"
        Of input and output. Their strides are free; contiguous NHWC is the fastest.
    dtype : dtype
        float32.
    bias : bool
        Whether calls take a bias of shape (output channels,).
    post_ops : sequence of str or post-op
        Applied in order after the bias: "relu", "relu6", "sum", "sigmoid", "silu", "tanh", "gelu",
        "gelu_tanh", or `Sum(scale)`, `Clip(low, high)`, `Function(name)`.
    attr : PrimitiveAttr
        Bound on the tasks and when the split is chosen.

    Notes
    -----
    Each output is a sum of sums over blocks of taps and channels, or with Winograd's algorithm of
    channels, which the shape alone gives, so the result has the same bits for every bound, pool and
    stride, and for packed and plain weights. `attr.algorithm` says which; docs/model.md has the
    rule of "auto" and the rounding errors. Equal arguments give the same object, from the primitive
    cache. A primitive may be called from any number of threads at once.

    Raises
    ------
    TypeError, ValueError
        Naming the argument, what was given and what is allowed.
    """

    kind = "convolution"
    algorithm: int  # of `choose_algorithm`

    def __new__(
        cls, src_shape: Sequence[int], weights_shape: Sequence[int], *,
        stride: int | tuple[int, int] = 1, padding: int | tuple[int, ...] = 0,
        dilation: int | tuple[int, int] = 1, groups: int = 1, layout: str = "nchw",
        dtype: Any = "float32", bias: bool = False, post_ops: Sequence[str | PostOp] = (),
        attr: PrimitiveAttr = PrimitiveAttr(),  # noqa: B008
    ) -> Conv2d:
        started = perf_counter()
        descriptor = describe_conv2d(
            src_shape, weights_shape, stride, padding, dilation, groups, layout,
            checked_dtype(dtype), checked_flag(bias, "bias"), parse(post_ops),
        )
        return cls._cached(descriptor, attr, started)

    def _set_up(
        self, descriptor: Conv2dDescriptor, attr: PrimitiveAttr, bound: int, started: float
    ) -> None:
        self.algorithm = choose_algorithm(descriptor, attr.algorithm)
        self._driver = direct_driver if self.algorithm == DIRECT else winograd_driver
        super()._set_up(descriptor, attr, bound, started)

    @property
    def kernel_name(self) -> str:
        family = "depthwise" if self.descriptor.depthwise else "direct"
        if self.algorithm != DIRECT:
            height, width = geometry(self.descriptor, self.algorithm).outputs
            family = f"winograd_f{height}x{width}"
        return f"{family}_f32:{isa.current().name}"

    @cached_property
    def _weights_layout(self) -> tuple[object, ...]:
        if self.algorithm == DIRECT:
            return direct_plan.weights_layout(self.descriptor, isa.current())
        return winograd_plan.weights_layout(self.descriptor, isa.current(), self.algorithm)

    @property
    def _packed_floats(self) -> int:
        if self.algorithm == DIRECT:
            return direct_plan.packed_floats(self.descriptor, isa.current())
        return winograd_plan.packed_floats(self.descriptor, isa.current(), self.algorithm)

    def __call__(
        self, src: np.ndarray, weights: np.ndarray | PackedWeights,
        bias: np.ndarray | None = None, *, out: np.ndarray | None = None,
        stream: Stream | None = None,
    ) -> np.ndarray:
        """Convolve.

        Parameters
        ----------
        src : ndarray of float32, shape `src_shape`
            Any strides.
        weights : ndarray of float32, shape `weights_shape`, or what `pack_weights` returned
            Any strides. Plain weights are packed by every call: pack those you use again.
        bias : ndarray of float32, shape (output channels,), or None
            Exactly if the primitive was created with `bias=True`.
        out : ndarray of float32, optional
            Where to write; any strides, no overlap with an input. Required by the post-op sum.
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
        d: Conv2dDescriptor = self.descriptor
        src = checked(src, "src", d.src_shape)
        bias = checked_bias(bias, d.bias, d.oc)
        if type(weights) is PackedWeights:
            weights = weights.panels_for(self._weights_layout)
            result = checked_out(out, d.out_shape, d.needs_out, src, bias)
        else:
            weights = checked(weights, "weights", d.weights_shape)
            result = checked_out(out, d.out_shape, d.needs_out, src, weights, bias)
        if result.size == 0:
            return result
        if not result.flags.aligned:
            aligned = result.copy()
            self._run(src, weights, bias, aligned, stream)
            result[...] = aligned
        else:
            self._run(src, weights, bias, result, stream)
        return result

    def _run(
        self, src: np.ndarray, weights: np.ndarray, bias: np.ndarray, dst: np.ndarray,
        stream: Stream | None,
    ) -> None:
        if self.descriptor.layout == "nchw":
            src, dst = src.transpose(AXES["nchw"]), dst.transpose(AXES["nchw"])
        driver = self._driver
        self._execute(stream, driver.execute(weights.ndim == 1), driver.tasks(), src, weights, bias,
                      dst)

    def pack_weights(self, weights: np.ndarray) -> PackedWeights:
        """A snapshot of `weights` in the kernel's own layout, accepted wherever they are.

        It is valid for every Conv2d with the same `weights_shape` and `groups`, whatever its
        bound, input size or layout; another one refuses it. Later changes of `weights` do not
        reach it.
        """
        d: Conv2dDescriptor = self.descriptor
        weights = checked(weights, "weights", d.weights_shape)
        run, task = self._driver.pack(), int(self._driver.tasks()[1])
        return self._packed(
            lambda pool, plan, scratch, plain, panels: run(
                pool, plan, scratch, task, plain, panels),
            weights, self._packed_floats, self._weights_layout,
        )

    def _example(self) -> tuple[np.ndarray | PackedWeights, ...]:
        d: Conv2dDescriptor = self.descriptor
        src, weights = (np.ones(shape, d.dtype) for shape in (d.src_shape, d.weights_shape))
        return src, self.pack_weights(weights), *([np.ones(d.oc, d.dtype)] * d.bias)

    def _decompose(self, bound: int) -> Decomposition:
        if self.algorithm == DIRECT:
            return direct_decomposition.decompose(self.descriptor, isa.current(), bound)
        return winograd_plan.decompose(self.descriptor, isa.current(), self.algorithm, bound)

    def _make_split(self, decomposition: Decomposition) -> Split:
        if self.algorithm == DIRECT:
            return direct_plan.make_split(self.descriptor, decomposition, isa.current())
        return winograd_plan.make_split(self.descriptor, decomposition, isa.current(),
                                        self.algorithm)
