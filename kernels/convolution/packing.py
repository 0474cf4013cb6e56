"""Packing weights, and reordering an input whose channels are not contiguous.

    packed[group][panel][(kh * KW + kw) * IC + ic][j] = weights[panel * NR + j, ic, kh, kw]

with the output channels counted inside the group. A group's last panel is as wide as the vectors
it needs, padded with zeros that are multiplied but never stored.
"""

from __future__ import annotations

from ..compiling import c_function, kernel
from ..microkernels.memory import load_f32, store_f32
from ..panels import balance
from ..words import TASK, word
from . import layout as w


@kernel
def _pack_panel(context, group, panel):
    oc, nr, lanes = word(context, w.OC), word(context, w.NR), word(context, w.LANES)
    ic, kh, kw = word(context, w.IC), word(context, w.KH), word(context, w.KW)
    by_oc, by_ic = word(context, w.WEIGHTS_OC), word(context, w.WEIGHTS_IC)
    by_kh, by_kw = word(context, w.WEIGHTS_KH), word(context, w.WEIGHTS_KW)
    valid = min(nr, oc - panel * nr)
    width = (valid + lanes - 1) // lanes * lanes
    source = word(context, w.WEIGHTS) + by_oc * (group * oc + panel * nr)
    packed = word(context, w.PACKED) + group * word(context, w.GROUP_BYTES)
    packed += panel * word(context, w.PANEL_BYTES)
    for j in range(valid):
        for y in range(kh):
            for x in range(kw):
                row = source + by_oc * j + by_kh * y + by_kw * x
                target = packed + 4 * (width * ic * (y * kw + x) + j)
                for c in range(ic):
                    store_f32(target + 4 * width * c, load_f32(row + by_ic * c))
    for k in range(kh * kw * ic):
        for j in range(valid, width):
            store_f32(packed + 4 * (width * k + j), 0.0)


@c_function("convolution weight packing", TASK)
def pack_task(context, ithr, nthr):
    """Pack this task's share of the panels of all groups."""
    panels = word(context, w.GROUP_PANELS)
    units = panels * word(context, w.GROUPS)
    for unit in range(balance(units, nthr, ithr), balance(units, nthr, ithr + 1)):
        _pack_panel(context, unit // panels, unit % panels)
    return 0


@kernel
def _reorder_row(source, by_w, by_c, width, channels, target):
    for x in range(width):
        for c in range(channels):
            store_f32(target + 4 * (channels * x + c), load_f32(source + by_w * x + by_c * c))


@c_function("convolution input reorder", TASK)
def reorder_task(context, ithr, nthr):
    """Copy this task's share of input rows to NHWC in the scratchpad."""
    ih, iw, channels = word(context, w.IH), word(context, w.IW), word(context, w.CHANNELS)
    units = word(context, w.BATCH) * ih
    target = context + word(context, w.NHWC_OFFSET)
    for unit in range(balance(units, nthr, ithr), balance(units, nthr, ithr + 1)):
        n, y = unit // ih, unit % ih
        source = word(context, w.SRC) + word(context, w.SRC_N) * n + word(context, w.SRC_H) * y
        _reorder_row(source, word(context, w.SRC_W), word(context, w.SRC_C), iw, channels,
                     target + 4 * channels * iw * unit)
    return 0
