"""What hypothesis draws: problems, and arrays laid out in unusual ways."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from hypothesis import strategies as st

from kernels import Clip, Sum

# Around the tiles (6 and 8 rows, 16 lanes, panels of 64) and the K blocks (384 and 512).
extents = st.one_of(st.integers(0, 20), st.sampled_from([31, 47, 63, 64, 65, 97, 129, 245]))
depths = st.one_of(st.integers(0, 20), st.sampled_from([383, 384, 385, 511, 513, 800]))
bounds = st.sampled_from([None, 0, 1, 2, 3, 8])
post_ops = st.sampled_from(
    [(), ("relu",), ("sum",), ("relu", "sum"), (Sum(0.5), "relu"), ("sum", "relu", Sum(-2.0)),
     ("relu6",), (Clip(-0.5, 1.25), "sum"), ("sigmoid",), ("sum", "silu"), ("tanh", Sum(0.5)),
     ("gelu",), ("gelu_tanh", "relu")]
)
layouts = st.sampled_from(["contiguous", "transposed", "reversed", "gaps", "read-only", "offset"])


def laid_out(array: np.ndarray, layout: str) -> np.ndarray:
    """A copy of the values, laid out as named."""
    if layout == "transposed":
        return array.copy(order="F")
    if layout == "reversed":
        return array[..., ::-1].copy()[..., ::-1]
    if layout == "gaps":
        wide = np.full((*array.shape[:-1], 2 * array.shape[-1] + 1), np.nan, array.dtype)
        wide[..., 1::2] = array
        return wide[..., 1::2]
    if layout == "offset":  # not aligned to its item size
        raw = np.empty(array.nbytes + 1, np.uint8)
        shifted = raw[1:].view(array.dtype).reshape(array.shape)
        shifted[...] = array
        return shifted
    copy = array.copy()
    copy.flags.writeable = layout != "read-only"
    return copy


@dataclass(frozen=True)
class Convolution:
    src_shape: tuple[int, ...]  # n, c, h, w
    weights_shape: tuple[int, ...]
    keywords: dict = field(hash=False)

    @property
    def pads(self) -> tuple[int, ...]:
        pad = self.keywords["padding"]
        if isinstance(pad, int):
            return (pad,) * 4
        return pad if len(pad) == 4 else (pad[0], pad[0], pad[1], pad[1])


def _at_least(size: int) -> st.SearchStrategy[int]:
    """From what the kernel needs, or 0, up to some more."""
    return st.integers(max(0, size), max(0, size) + 14)


@st.composite
def convolutions(draw: st.DrawFn) -> Convolution:
    if draw(st.booleans()):
        groups, ic, oc = 1, draw(st.sampled_from([0, 1, 3, 16, 33])), draw(
            st.sampled_from([0, 1, 5, 16, 64, 70, 130]))
    else:
        groups = draw(st.sampled_from([2, 3, 16, 65]))
        ic, oc = draw(st.sampled_from([(1, 1), (2, 3), (1, 4), (3, 1)]))
    kh, kw = draw(st.sampled_from([(1, 1), (3, 3), (1, 7), (5, 2), (2, 2), (7, 7)]))
    stride = draw(st.sampled_from([1, 2, (1, 3), (3, 1)]))
    dilation = draw(st.sampled_from([1, 1, 2, (1, 3), (2, 1)]))
    padding = draw(st.sampled_from([0, 1, 3, (1, 0), (0, 2, 1, 3), (4, 0, 0, 5)]))
    dh, dw = dilation if isinstance(dilation, tuple) else (dilation, dilation)
    problem = Convolution((draw(st.integers(0, 2)), ic * groups, 1, 1), (oc * groups, ic, kh, kw),
                          {"stride": stride, "padding": padding, "dilation": dilation,
                           "groups": groups})
    top, bottom, left, right = problem.pads
    ih = draw(_at_least(dh * (kh - 1) + 1 - top - bottom))
    iw = draw(_at_least(dw * (kw - 1) + 1 - left - right))
    n, c = problem.src_shape[:2]
    return Convolution((n, c, ih, iw), problem.weights_shape, problem.keywords)
