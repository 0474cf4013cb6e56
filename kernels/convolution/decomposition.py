"""How a Conv2d is split: blocks from its shape alone, a grid over images, rows and panels."""

from __future__ import annotations

from math import prod

from threadpool_iface import Decomposition
from threadpool_iface.decomposition import choose

from ..costs import machine
from ..microkernels.isa import Isa
from .descriptor import Conv2dDescriptor

DIMS = ("batch", "oh", "oc")

#: K and pixel blocks, as for a GEMM: a KC x 64 panel of weights is 96 KiB, and the input under
#: 120 pixels at most 180 KiB; 120 is a whole number of tiles of 6 and of 8 rows.
KC = 384
PIXELS = 120
#: Of taps with more than KC channels, where K has LONG_K and more: a chain of 512 rounds worse than
#: one of 384, but a sum of several does not, and half as many blocks take 1-3 % less time.
LONG_KC, LONG_K = 512, 1024


def block_depth(d: Conv2dDescriptor) -> int:
    """The most terms of a K block."""
    channels = d.weights_shape[1]
    return LONG_KC if channels > KC and prod(d.weights_shape[1:]) >= LONG_K else KC


#: A pass over the sums for each tap pays where at most this share of the pixels, and at most
#: channels / CHANNELS, sees all taps: 7x7 under 3x3 gains 10-20 %, 9x9 nothing.
MOST_INTERIOR, CHANNELS = 0.53, 120
#: So many bytes of weights come from memory again for every rectangle: it pays up to this share.
FAR_WEIGHTS, MOST_INTERIOR_OF_FAR = 8 << 20, 0.75


def by_taps(d: Conv2dDescriptor) -> bool:
    """Whether images are computed tap by tap: those that padding leaves little interior of."""
    ends = (d.padding[0], d.padding[2])
    sizes = zip((d.oh, d.ow), d.stride, d.dilation, ends, d.weights_shape[2:], (d.ih, d.iw),
                strict=True)
    interior = prod(_interior(*size) for size in sizes)
    far = 4 * prod(d.weights_shape) >= FAR_WEIGHTS
    limit = min(MOST_INTERIOR_OF_FAR if far else MOST_INTERIOR, d.weights_shape[1] / CHANNELS)
    return not d.depthwise and 0 < d.ow <= PIXELS and interior <= limit * d.oh * d.ow


def _interior(out: int, stride: int, dilation: int, pad: int, taps: int, size: int) -> int:
    """Output positions that see all taps."""
    last = (size - 1 + pad - (taps - 1) * dilation) // stride
    return max(0, min(out, last + 1) - -(-pad // stride))


def group_panels(d: Conv2dDescriptor, isa: Isa) -> int:
    """Panels of one group; all channels of a depthwise convolution are one group."""
    return -(-_group_channels(d) // isa.nr)


def _group_channels(d: Conv2dDescriptor) -> int:
    return d.oc if d.depthwise else d.oc // d.groups


def columns(d: Conv2dDescriptor, isa: Isa, panels: int) -> int:
    """Output channels in the fullest range of so many panels: a group's last may be narrow."""
    groups, rest = divmod(panels, max(1, group_panels(d, isa)))
    return groups * _group_channels(d) + min(rest * isa.nr, _group_channels(d))


def decompose(d: Conv2dDescriptor, isa: Isa, bound: int) -> Decomposition:
    """The split into at most `bound` tasks that the cost model predicts to end first."""
    taps = d.weights_shape[2] * d.weights_shape[3]
    depth = taps * d.weights_shape[1]
    panels = group_panels(d, isa) * (1 if d.depthwise else d.groups)
    core = machine()

    def seconds(share: tuple[int, ...]) -> float:
        images, rows, own_panels = share
        width = columns(d, isa, own_panels)
        flops = 2.0 * images * rows * d.ow * width * depth
        rows_read = min(d.ih, rows * d.stride[0] + d.dilation[0] * (d.weights_shape[2] - 1))
        read = images * rows_read * d.iw * d.ic + width * depth
        moved = 4.0 * (read + images * rows * d.ow * width)
        return flops / core.flops_per_second + moved / core.bytes_per_second

    extent = (d.batch, d.oh, panels)
    return choose(DIMS, extent, (isa.mr, isa.nr), bound, seconds, core.region_seconds)
