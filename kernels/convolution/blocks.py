"""A block of output pixels, wherever its pixels lie: one K block of all its panels, and the results
of outputs that are strided or still to be read.

Whoever calls has filled the argument block and the tables of offsets.
"""

from __future__ import annotations

from ..compiling import kernel
from ..microkernels import emit
from ..microkernels.memory import load_f32, load_i64, store_f32, store_i64
from ..panels import sweep_panels
from ..words import word
from . import layout as w


@kernel
def _sweep(context, scratch, pixels, source, group, first, end, p, c):
    """Panels first..end-1 of one group for the pixels in the tables."""
    args, tables = scratch + w.ARGS, scratch + w.TABLES
    table = 8 * word(context, w.PIXELS)
    panel_bytes, oc = word(context, w.PANEL_BYTES), word(context, w.OC)
    packed = word(context, w.PACKED) + group * word(context, w.GROUP_BYTES)
    bias = word(context, w.BIAS)
    if bias != 0:
        bias += 4 * group * oc
    store_i64(args + 8 * emit.A, source)
    sweep_panels(
        word(context, w.MICROKERNEL), args, pixels, tables, tables + table, tables + 2 * table,
        first, end, oc, word(context, w.LANES), 4, word(context, w.MR_TABLE),
        packed, panel_bytes, 4 * word(context, w.NR),
        packed + (word(context, w.GROUP_PANELS) - 1) * panel_bytes, p, c, bias,
    )


@kernel
def group_panels(context, scratch, pixels, source, first, end, p, c):
    """One K block of `first..end-1`, panels counted over all groups."""
    if word(context, w.DEPTHWISE) != 0:
        # A panel of channels reads the same channels of the input.
        width = 4 * word(context, w.NR)
        for panel in range(first, end):
            _sweep(context, scratch, pixels, source + width * panel, 0, panel, panel + 1, p, c)
        return
    panels = word(context, w.GROUP_PANELS)
    group_step = word(context, w.IC) * word(context, w.SRC_C)
    for group in range(first // panels, (end + panels - 1) // panels):
        shift = 4 * group * word(context, w.OC)
        _sweep(context, scratch, pixels, source + group * group_step, group,
               max(first - group * panels, 0), min(end - group * panels, panels),
               p + shift, c + shift)


@kernel
def move_tile(context, scratch, results, target, pixels, valid, load):
    """Copy a block's results between the tile buffer and an output of any strides.

    Channels outside, pixels inside: neighbouring pixels are neighbours in an NCHW output.
    """
    by_c, tile_row = word(context, w.DST_C), 4 * word(context, w.NR)
    offsets = scratch + w.TABLES + 24 * word(context, w.PIXELS)
    for j in range(valid):
        here, there = results + 4 * j, target + by_c * j
        for i in range(pixels):
            outside = there + load_i64(offsets + 8 * i)
            if load:
                store_f32(here + tile_row * i, load_f32(outside))
            else:
                store_f32(outside, load_f32(here + tile_row * i))
