"""Packing weights, and reordering an input whose channels are not contiguous.

    packed[group][panel][(kh * KW + kw) * IC + ic][j] = weights[panel * NR + j, ic, kh, kw]

with the output channels counted inside the group. A group's last panel is as wide as the vectors
it needs, padded with zeros that are multiplied but never stored.
"""

from __future__ import annotations

from numba import types

from ..compiling import c_function, kernel
from ..microkernels import rows
from ..microkernels.memory import call_microkernel, load_f32, store_f32, store_i64
from ..panels import balance
from ..words import TASK, word
from . import layout as w


@kernel
def _pack_panel(context, scratch, group, panel):
    oc, nr, lanes = word(context, w.OC), word(context, w.NR), word(context, w.LANES)
    valid = min(nr, oc - panel * nr)
    width = (valid + lanes - 1) // lanes * lanes
    source = word(context, w.WEIGHTS) + word(context, w.WEIGHTS_OC) * (group * oc + panel * nr)
    packed = word(context, w.PACKED) + group * word(context, w.GROUP_BYTES)
    packed += panel * word(context, w.PANEL_BYTES)
    ic, columns = word(context, w.IC), valid // lanes * lanes
    done = 0
    if columns > 0 and _contiguous(context):
        done = ic // lanes * lanes
        for channel in range(0, done, lanes):
            _pack_channels(context, scratch, source, channel, columns, width, packed)
    _copy_elements(context, source, 0, done, columns, valid, width, packed)
    _copy_elements(context, source, done, ic, 0, valid, width, packed)


@kernel
def _contiguous(context):
    """Whether the channels and taps of an output channel are one run, of which a block has room."""
    taps = word(context, w.KH) * word(context, w.KW)
    room = 8 * word(context, w.NR) * word(context, w.PIXELS)
    return (word(context, w.WEIGHTS_KW) == 4 and word(context, w.WEIGHTS_KH) == 4 * word(
        context, w.KW) and word(context, w.WEIGHTS_IC) == 4 * taps
        and 4 * word(context, w.NR) * word(context, w.LANES) * taps <= room)


@kernel
def _pack_channels(context, scratch, source, channel, columns, width, packed):
    """As many input channels as a vector has lanes, all their taps: transposed, then in order."""
    args, block = scratch + w.ARGS, scratch + w.TABLES + 32 * word(context, w.PIXELS)
    kernel, lanes = word(context, w.ROWS), word(context, w.LANES)
    taps, row = word(context, w.KH) * word(context, w.KW), 4 * width
    store_i64(args + 8 * rows.A_STEP, word(context, w.WEIGHTS_OC))
    store_i64(args + 8 * rows.B_STEP, row)
    store_i64(args + 8 * rows.COUNT, columns // lanes)
    for part in range(taps):
        store_i64(args + 8 * rows.A, source + 4 * (channel * taps + lanes * part))
        store_i64(args + 8 * rows.C, block + row * lanes * part)
        call_microkernel(kernel, rows.TRANSPOSE, 0, args)
    store_i64(args + 8 * rows.A_STEP, row * taps)
    store_i64(args + 8 * rows.COUNT, lanes)
    store_i64(args + 8 * rows.VECTORS, columns // lanes)
    store_i64(args + 8 * rows.LANES, 0)
    for tap in range(taps):
        store_i64(args + 8 * rows.A, block + row * tap)
        store_i64(args + 8 * rows.C, packed + row * (tap * word(context, w.IC) + channel))
        call_microkernel(kernel, rows.COPY, 0, args)


@kernel
def _copy_elements(context, source, first, end, column, valid, width, packed):
    """Input channels first..end-1 of the output channels from `column`, zeros behind them."""
    ic, kh, kw = word(context, w.IC), word(context, w.KH), word(context, w.KW)
    by_oc, by_ic = word(context, w.WEIGHTS_OC), word(context, w.WEIGHTS_IC)
    by_kh, by_kw = word(context, w.WEIGHTS_KH), word(context, w.WEIGHTS_KW)
    for j in range(column, width):
        for y in range(kh):
            for x in range(kw):
                row = source + by_oc * j + by_kh * y + by_kw * x
                target = packed + 4 * (width * ic * (y * kw + x) + j)
                for c in range(first, end):
                    value = load_f32(row + by_ic * c) if j < valid else types.float32(0)
                    store_f32(target + 4 * width * c, value)


@c_function("convolution weight packing", TASK)
def pack_task(context, ithr, nthr):
    """Pack this task's share of the panels of all groups."""
    panels = word(context, w.GROUP_PANELS)
    units = panels * word(context, w.GROUPS)
    scratch = context + word(context, w.TASKS_OFFSET) + ithr * word(context, w.TASK_BYTES)
    for unit in range(balance(units, nthr, ithr), balance(units, nthr, ithr + 1)):
        _pack_panel(context, scratch, unit // panels, unit % panels)
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
