"""Which algorithm computes a Conv2d: a function of its shape, its attributes and the ISA alone."""

from __future__ import annotations

from .descriptor import Conv2dDescriptor

#: Of "direct"; Winograd algorithms are the side of their tile of outputs.
DIRECT = 0

#: From this many outputs along both sides on, tiles of 4x4 win; below, down to the next, 2x2 do, as
#: fewer of their outputs fall outside the image.
LARGE_TILES_FROM, SMALL_TILES_FROM = 20, 10
#: With fewer channels the transforms cost more than the products save.
LEAST_CHANNELS = 24


def choose_algorithm(d: Conv2dDescriptor, wanted: str) -> int:
    """DIRECT, 2 or 4.

    Raises
    ------
    ValueError
        Winograd was asked for, and this convolution is not one of 3x3, dense, stride 1.
    """
    if wanted == "direct":
        return DIRECT
    possible = (d.weights_shape[2:] == (3, 3) and d.stride == (1, 1) and d.dilation == (1, 1)
                and d.groups == 1)
    if wanted == "winograd":
        if not possible:
            raise ValueError("algorithm=\"winograd\" needs a 3x3 kernel, stride 1, dilation 1 and "
                             f"one group, not {d}")
        return 4 if min(d.oh, d.ow) >= LARGE_TILES_FROM else 2
    if not possible or min(d.ic, d.oc) < LEAST_CHANNELS:
        return DIRECT
    if min(d.oh, d.ow) >= LARGE_TILES_FROM:
        return 4
    return 2 if min(d.oh, d.ow) >= SMALL_TILES_FROM else DIRECT
