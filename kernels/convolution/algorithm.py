"""Which algorithm computes a Conv2d: a function of its shape, its attributes and the ISA alone."""

from __future__ import annotations

from ..microkernels.winograd import LINE_TAPS, LINE_VARIANT
from .descriptor import Conv2dDescriptor

#: Of "direct"; Winograd algorithms are the side of their tile of outputs, or `LINE_VARIANT`.
DIRECT = 0

#: From this many outputs along both sides on, tiles of 4x4 win; below, down to the next, 2x2 do, as
#: fewer of their outputs fall outside the image.
LARGE_TILES_FROM, SMALL_TILES_FROM = 20, 10
#: Taps of a kernel of one row or column that is computed line by line, in two parts.
LINE_KERNELS = range(LINE_TAPS + 1, 2 * LINE_TAPS + 1)
#: With fewer channels the transforms cost more than the products save.
LEAST_CHANNELS = 24


def choose_algorithm(d: Conv2dDescriptor, wanted: str) -> int:
    """DIRECT, 2, 4 or LINE_VARIANT.

    Raises
    ------
    ValueError
        Winograd was asked for, and this convolution is not one that it can compute.
    """
    if wanted == "direct":
        return DIRECT
    dense = d.stride == (1, 1) and d.dilation == (1, 1) and d.groups == 1
    square, line = dense and d.weights_shape[2:] == (3, 3), dense and _is_line(d)
    if wanted == "winograd" and not (square or line):
        raise ValueError(
            f"algorithm=\"winograd\" needs a 3x3 kernel, or one of 1x{LINE_KERNELS[0]} to "
            f"1x{LINE_KERNELS[-1]} or turned, stride 1, dilation 1 and one group, not {d}")
    if wanted == "auto" and min(d.ic, d.oc) < LEAST_CHANNELS:
        return DIRECT
    if line:
        return LINE_VARIANT if wanted == "winograd" or _along(d) >= SMALL_TILES_FROM else DIRECT
    if not square:
        return DIRECT
    if min(d.oh, d.ow) >= LARGE_TILES_FROM:
        return 4
    return 2 if wanted == "winograd" or min(d.oh, d.ow) >= SMALL_TILES_FROM else DIRECT


def _is_line(d: Conv2dDescriptor) -> bool:
    height, width = d.weights_shape[2:]
    return min(height, width) == 1 and max(height, width) in LINE_KERNELS


def _along(d: Conv2dDescriptor) -> int:
    """Outputs in the direction of the kernel's line."""
    return d.ow if d.weights_shape[3] > 1 else d.oh
