"""What a Pool2d computes, as a value: shapes, window, stride, padding, mode."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ..convolution.descriptor import AXES, checked_layout, checked_pads, checked_pair
from ..shapes import Shape, checked_shape

MODES = ("max", "average", "average_include_padding")


@dataclass(frozen=True)
class Pool2dDescriptor:
    """`Pool2d` gives the equation. Extents are of the whole problem."""

    src_shape: Shape
    window: Shape
    stride: Shape
    padding: Shape  # top, bottom, left, right
    mode: str
    layout: str
    dtype: str
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

    @property
    def channels(self) -> int:
        return self.src_shape[AXES[self.layout][3]]

    @cached_property
    def out_shape(self) -> Shape:
        if self.layout == "nchw":
            return (self.batch, self.channels, self.oh, self.ow)
        return (self.batch, self.oh, self.ow, self.channels)

    def __str__(self) -> str:
        """In benchdnn's notation."""
        kh, kw = self.window
        return (f"--tag={self.layout} --alg={_BENCHDNN[self.mode]} mb{self.batch}ic{self.channels}"
                f"ih{self.ih}iw{self.iw}oh{self.oh}ow{self.ow}kh{kh}kw{kw}sh{self.stride[0]}"
                f"sw{self.stride[1]}ph{self.padding[0]}pw{self.padding[2]}")


_BENCHDNN = {"max": "pooling_max", "average": "pooling_avg_exclude_padding",
             "average_include_padding": "pooling_avg_include_padding"}


def describe_pool2d(
    src_shape: Sequence[int], window: Any, stride: Any, padding: Any, mode: Any, layout: Any,
    dtype: str,
) -> Pool2dDescriptor:
    """Check the arguments of `Pool2d` and derive the output's extents.

    Raises
    ------
    TypeError, ValueError
        Naming the argument, what was given and what is allowed.
    """
    checked_layout(layout)
    if not isinstance(mode, str):
        raise TypeError(f"mode must be one of {list(MODES)}, not {mode!r}")
    if mode not in MODES:
        raise ValueError(f"mode must be one of {list(MODES)}, not {mode!r}")
    src = checked_shape(src_shape, "src_shape", 4, exactly=4)
    ih, iw = (src[AXES[layout][i]] for i in (1, 2))
    size = checked_pair(window, "window", 1)
    strides = size if stride is None else checked_pair(stride, "stride", 1)
    pads = checked_pads(padding)
    if max(pads[:2]) >= size[0] or max(pads[2:]) >= size[1]:
        raise ValueError(f"padding {pads} must be less than the window {size}: a window that is "
                         "all padding has no value")
    extents = []
    for have, pad, taps, step, name in (
        (ih, pads[0] + pads[1], size[0], strides[0], "height"),
        (iw, pads[2] + pads[3], size[1], strides[1], "width"),
    ):
        if have + pad < taps or have == 0:
            raise ValueError(f"the window's {name} of {taps} does not fit into the {have} "
                             f"positions of src_shape and {pad} of padding")
        extents.append((have + pad - taps) // step + 1)
    return Pool2dDescriptor(src, size, strides, pads, mode, layout, dtype, *extents)
