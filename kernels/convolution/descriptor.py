"""What a Conv2d computes, as a value: shapes, strides, padding, dilation, groups, post-ops."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ..post_ops import PostOp, Sum, describe
from ..shapes import Shape, checked_int, checked_shape

#: Position of batch, height, width and channels in an array of each layout.
AXES = {"nchw": (0, 2, 3, 1), "nhwc": (0, 1, 2, 3)}
MAX_STEP = 2**31 - 1


@dataclass(frozen=True)
class Conv2dDescriptor:
    """A 2-D cross-correlation; `Conv2d` gives the equation. Extents are of the whole problem."""

    src_shape: Shape
    weights_shape: Shape
    stride: Shape
    padding: Shape  # top, bottom, left, right
    dilation: Shape
    groups: int
    layout: str
    dtype: str
    bias: bool
    post_ops: tuple[PostOp, ...]
    oh: int
    ow: int

    @property
    def batch(self) -> int:
        return self.src_shape[0]

    @property
    def ih(self) -> int:
        return self.src_shape[AXES[self.layout][1]]

    @property
    def iw(self) -> int:
        return self.src_shape[AXES[self.layout][2]]

    @cached_property
    def ic(self) -> int:
        return self.src_shape[AXES[self.layout][3]]

    @property
    def oc(self) -> int:
        return self.weights_shape[0]

    @cached_property
    def out_shape(self) -> Shape:
        if self.layout == "nchw":
            return (self.batch, self.oc, self.oh, self.ow)
        return (self.batch, self.oh, self.ow, self.oc)

    @cached_property
    def depthwise(self) -> bool:
        """Each channel on its own: as many groups as input and output channels."""
        return self.groups == self.ic == self.oc and self.weights_shape[1] == 1

    @cached_property
    def needs_out(self) -> bool:
        return any(isinstance(op, Sum) for op in self.post_ops)

    @property
    def flops(self) -> int:
        """Floating-point operations: two for each tap of each output, padding included."""
        taps = self.weights_shape[1] * self.weights_shape[2] * self.weights_shape[3]
        return 2 * self.batch * self.oc * self.oh * self.ow * taps

    def __str__(self) -> str:
        """In benchdnn's notation: padding is top and left, dilation 0 means dense."""
        kh, kw = self.weights_shape[2:]
        text = f"g{self.groups}" * (self.groups > 1) + f"mb{self.batch}"
        text += f"ic{self.ic}ih{self.ih}iw{self.iw}oc{self.oc}oh{self.oh}ow{self.ow}kh{kh}kw{kw}"
        text += f"sh{self.stride[0]}sw{self.stride[1]}ph{self.padding[0]}pw{self.padding[2]}"
        if self.dilation != (1, 1):
            text += f"dh{self.dilation[0] - 1}dw{self.dilation[1] - 1}"
        flags = " --bia-dt=f32" * self.bias
        if self.post_ops:
            flags += " --attr-post-ops=" + describe(self.post_ops)
        return f"--stag={self.layout} {text}{flags}"


def describe_conv2d(
    src_shape: Sequence[int], weights_shape: Sequence[int], stride: Any, padding: Any,
    dilation: Any, groups: Any, layout: Any, dtype: str, bias: bool, post_ops: tuple[PostOp, ...],
) -> Conv2dDescriptor:
    """Check the arguments of `Conv2d` and derive the output's extents.

    Raises
    ------
    TypeError, ValueError
        Naming the argument, what was given and what is allowed.
    """
    checked_layout(layout)
    src = checked_shape(src_shape, "src_shape", 4, exactly=4)
    weights = checked_shape(weights_shape, "weights_shape", 4, exactly=4)
    strides, dilations = checked_pair(stride, "stride", 1), checked_pair(dilation, "dilation", 1)
    pads = checked_pads(padding)
    groups = checked_int(groups, "groups", 1)
    _check_channels(src[AXES[layout][3]], weights, groups)
    if 0 in weights[2:]:
        raise ValueError(f"weights_shape {weights} has an empty kernel: kh and kw must be positive")
    ih, iw = (src[AXES[layout][i]] for i in (1, 2))
    oh = _extent(ih, pads[0] + pads[1], weights[2], strides[0], dilations[0], "height")
    ow = _extent(iw, pads[2] + pads[3], weights[3], strides[1], dilations[1], "width")
    return Conv2dDescriptor(src, weights, strides, pads, dilations, groups, layout, dtype, bias,
                            post_ops, oh, ow)


def checked_layout(layout: Any) -> None:
    """Raise unless it is one."""
    if not isinstance(layout, str):
        raise TypeError(f'layout must be "nchw" or "nhwc", not {layout!r}')
    if layout not in AXES:
        raise ValueError(f'layout must be "nchw" or "nhwc", not {layout!r}')


def checked_pair(value: Any, name: str, low: int) -> Shape:
    """(height, width) from an integer or a pair."""
    if isinstance(value, (tuple, list)):
        if len(value) != 2:
            raise ValueError(f"{name} must be an integer or a pair of them, not {value!r}")
        return tuple(checked_int(v, f"{name}[{i}]", low, MAX_STEP) for i, v in enumerate(value))
    return (checked_int(value, name, low, MAX_STEP),) * 2


def checked_pads(value: Any) -> Shape:
    """(top, bottom, left, right) from an integer, (ph, pw) or all four."""
    if not isinstance(value, (tuple, list)):
        return (checked_int(value, "padding", 0, MAX_STEP),) * 4
    if len(value) not in (2, 4):
        raise ValueError("padding must be an integer, (ph, pw) or (top, bottom, left, right), "
                         f"not {value!r}")
    pads = tuple(checked_int(v, f"padding[{i}]", 0, MAX_STEP) for i, v in enumerate(value))
    return pads if len(pads) == 4 else (pads[0], pads[0], pads[1], pads[1])


def _check_channels(channels: int, weights: Shape, groups: int) -> None:
    if weights[0] % groups:
        raise ValueError(f"groups must divide the output channels: {weights[0]} in weights_shape "
                         f"{weights}, groups {groups}")
    if channels != weights[1] * groups:
        raise ValueError(
            f"src_shape has {channels} channels, but weights_shape {weights} with groups {groups} "
            f"takes {weights[1] * groups}"
        )


def _extent(size: int, pad: int, taps: int, stride: int, dilation: int, name: str) -> int:
    reach = dilation * (taps - 1) + 1
    if size + pad < reach:
        raise ValueError(f"the kernel reaches over {reach} input positions in {name}, more than "
                         f"src_shape and padding have ({size + pad})")
    return (size + pad - reach) // stride + 1
