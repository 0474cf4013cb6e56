"""The nopython side of Conv2d: the task's own loops, and the call that starts the tasks.

A convolution is a GEMM whose rows are output pixels, whose columns are output channels and whose K
runs over the taps that fall inside the image. Output pixels with the same set of such taps form
rectangles: one large interior and thin edges. Inside a rectangle every pixel has the same segments
(see `emit`), so padding is neither copied nor multiplied: it contributes nothing, not even when a
weight is infinite. A task owns a range of images, output rows and panels of output channels; it
cuts each rectangle into blocks of pixels and walks K blocks and panels over each. Images so small
that rectangles would be slivers are computed tap by tap instead (`taps`).
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numba import types

from ..compiling import c_function, fixed_kernel, kernel
from ..microkernels import emit
from ..microkernels.memory import store_i64
from ..panels import balance, set_length
from ..words import (
    PLAN,
    SCRATCH,
    TASK,
    begin,
    input_array,
    note_thread,
    output_array,
    panels_array,
    region,
    word,
)
from . import layout as w
from .blocks import group_panels, move_tile
from .packing import pack_task, reorder_task
from .taps import rows_by_taps


@kernel
def _first_tap(out, stride, dilation, pad, taps):
    """First tap of output position `out` that is not in the leading padding."""
    before = pad - out * stride
    return 0 if before <= 0 else min(taps, (before + dilation - 1) // dilation)


@kernel
def _end_tap(out, stride, dilation, pad, taps, size):
    """One past the last tap of `out` inside `size` input positions; at least its first tap."""
    inside = size + pad - out * stride
    end = 0 if inside <= 0 else min(taps, (inside + dilation - 1) // dilation)
    return max(end, _first_tap(out, stride, dilation, pad, taps))


@kernel
def _run_end(start, end, stride, dilation, pad, taps, size):
    """End of the run of positions from `start` that see the same taps as `start`."""
    first = _first_tap(start, stride, dilation, pad, taps)
    last = _end_tap(start, stride, dilation, pad, taps, size)
    stop = start + 1
    while (
        stop < end
        and _first_tap(stop, stride, dilation, pad, taps) == first
        and _end_tap(stop, stride, dilation, pad, taps, size) == last
    ):
        stop += 1
    return stop


@kernel
def _k_blocks(context, kh_taps, kw_taps):
    """K blocks of a pixel that sees kh_taps x kw_taps taps: of whole rows of taps if they fit, of
    whole taps of one row, or of channels of one tap. The layout has no part in it, nor in the bits.
    """
    ic, kc = word(context, w.IC), word(context, w.KC)
    if kh_taps == 0 or kw_taps == 0 or ic == 0:
        return 1
    if ic > kc:
        return kh_taps * kw_taps * ((ic + kc - 1) // kc)
    most = min(kc // ic, w.MAX_SEGMENTS)
    if kw_taps > most:
        return kh_taps * ((kw_taps + most - 1) // most)
    rows = most // kw_taps
    return (kh_taps + rows - 1) // rows


@kernel
def _block_ranges(context, block, blocks, kh_taps, kw_taps):
    """The rows of taps, taps of a row and channels of one K block, each with its end."""
    ic, parts = word(context, w.IC), blocks // kh_taps
    if blocks <= kh_taps:
        y, end_y = balance(kh_taps, blocks, block), balance(kh_taps, blocks, block + 1)
        return y, end_y, 0, kw_taps, 0, ic
    y, part = block // parts, block % parts
    if parts <= kw_taps:
        x, end_x = balance(kw_taps, parts, part), balance(kw_taps, parts, part + 1)
        return y, y + 1, x, end_x, 0, ic
    chunks = parts // kw_taps
    x, chunk = part // chunks, part % chunks
    return y, y + 1, x, x + 1, balance(ic, chunks, chunk), balance(ic, chunks, chunk + 1)


@kernel
def _add_segment(context, scratch, number, y, x, channel):
    """A segment that starts with a channel of tap (y, x)."""
    offset = y * word(context, w.DILATION_H) * word(context, w.SRC_H)
    offset += x * word(context, w.DILATION_W) * word(context, w.SRC_W)
    row = (y * word(context, w.KW) + x) * word(context, w.IC) + channel
    entry = scratch + w.SEGMENTS + 16 * number
    store_i64(entry, offset + channel * word(context, w.SRC_C))
    store_i64(entry + 8, row)


@kernel
def _set_k_block(context, scratch, block, blocks, kh, kh_taps, kw, kw_taps):
    """Write the segments of one K block: a tap each, or neighbours that are one run of memory."""
    args, segments = scratch + w.ARGS, 0
    store_i64(args + 8 * emit.FIRST, 1 if block == 0 else 0)
    store_i64(args + 8 * emit.LAST, 1 if block == blocks - 1 else 0)
    if kh_taps != 0 and kw_taps != 0:
        y, end_y, x, end_x, c, end_c = _block_ranges(context, block, blocks, kh_taps, kw_taps)
        step = end_x - x if word(context, w.MERGED) != 0 else 1
        set_length(args, step * (end_c - c), word(context, w.VECTOR))
        for row in range(y, end_y):
            for tap in range(x, end_x, step):
                _add_segment(context, scratch, segments, kh + row, kw + tap, c)
                segments += 1
    store_i64(args + 8 * emit.NSEGMENTS, segments)


@kernel
def _fill_tables(context, scratch, pixels, start, y, x, width, direct):
    """Offsets of `pixels` pixels from number `start` of the rectangle at (y, x)."""
    tables, table = scratch + w.TABLES, 8 * word(context, w.PIXELS)
    a_h = word(context, w.STRIDE_H) * word(context, w.SRC_H)
    a_w = word(context, w.STRIDE_W) * word(context, w.SRC_W)
    c_h, c_w = word(context, w.DST_H), word(context, w.DST_W)
    row, column = y + start // width, x + start % width
    tile_row = 4 * word(context, w.NR)
    for i in range(pixels):
        store_i64(tables + 8 * i, row * a_h + column * a_w)
        there = row * c_h + column * c_w
        store_i64(tables + table + 8 * i, there if direct else i * tile_row)
        store_i64(tables + 2 * table + 8 * i, there if direct else i * tile_row)
        store_i64(tables + 3 * table + 8 * i, there)
        column += 1
        if column == x + width:
            column = x
            row += 1


@kernel
def _panel_through_tile(
    context, scratch, pixels, source, panel, target, kh, kh_taps, kw, kw_taps
):
    """One panel whose results cannot go straight to the output: strided, or still to be read."""
    results = scratch + w.TABLES + 32 * word(context, w.PIXELS)
    partials = results + 4 * word(context, w.NR) * word(context, w.PIXELS)
    nr, oc, panels = word(context, w.NR), word(context, w.OC), word(context, w.GROUP_PANELS)
    group, local = panel // panels, panel % panels
    valid = min(nr, oc - local * nr)
    channels = target + (group * oc + local * nr) * word(context, w.DST_C)
    if word(context, w.NEEDS_OUT) != 0:
        move_tile(context, scratch, results, channels, pixels, valid, True)
    blocks = _k_blocks(context, kh_taps, kw_taps)
    shift = 4 * (group * oc + local * nr)  # what the sweep adds for this panel
    for block in range(blocks):
        _set_k_block(context, scratch, block, blocks, kh, kh_taps, kw, kw_taps)
        group_panels(context, scratch, pixels, source, panel, panel + 1,
                      partials - shift, results - shift)
    move_tile(context, scratch, results, channels, pixels, valid, False)


@kernel
def _rectangle(context, scratch, source, target, first, end, y, end_y, x, end_x):
    """All pixels of [y, end_y) x [x, end_x), which see the same taps; panels first..end-1."""
    kh = _first_tap(y, word(context, w.STRIDE_H), word(context, w.DILATION_H),
                    word(context, w.PAD_TOP), word(context, w.KH))
    kw = _first_tap(x, word(context, w.STRIDE_W), word(context, w.DILATION_W),
                    word(context, w.PAD_LEFT), word(context, w.KW))
    kh_taps = _end_tap(y, word(context, w.STRIDE_H), word(context, w.DILATION_H),
                       word(context, w.PAD_TOP), word(context, w.KH), word(context, w.IH)) - kh
    kw_taps = _end_tap(x, word(context, w.STRIDE_W), word(context, w.DILATION_W),
                       word(context, w.PAD_LEFT), word(context, w.KW), word(context, w.IW)) - kw
    if kh_taps == 0 or kw_taps == 0:
        kh_taps, kw_taps = 0, 0
    width, step = end_x - x, word(context, w.PIXELS)
    total = width * (end_y - y)
    blocks = _k_blocks(context, kh_taps, kw_taps)
    direct = word(context, w.DST_C) == 4 and (word(context, w.NEEDS_OUT) == 0 or blocks == 1)
    for start in range(0, total, step):
        pixels = min(step, total - start)
        _fill_tables(context, scratch, pixels, start, y, x, width, direct)
        if direct:
            for block in range(blocks):
                _set_k_block(context, scratch, block, blocks, kh, kh_taps, kw, kw_taps)
                group_panels(context, scratch, pixels, source, first, end, target, target)
        else:
            for panel in range(first, end):
                _panel_through_tile(context, scratch, pixels, source, panel, target,
                                    kh, kh_taps, kw, kw_taps)


@kernel
def _image_rows(context, scratch, source, target, first, end, y, end_y):
    """Output rows y..end_y-1 of one image, cut into rectangles of equal taps."""
    out_w = word(context, w.OW)
    while y < end_y:
        stop_y = _run_end(y, end_y, word(context, w.STRIDE_H), word(context, w.DILATION_H),
                          word(context, w.PAD_TOP), word(context, w.KH), word(context, w.IH))
        x = 0
        while x < out_w:
            stop_x = _run_end(x, out_w, word(context, w.STRIDE_W), word(context, w.DILATION_W),
                              word(context, w.PAD_LEFT), word(context, w.KW), word(context, w.IW))
            _rectangle(context, scratch, source, target, first, end, y, stop_y, x, stop_x)
            x = stop_x
        y = stop_y


@c_function("convolution", TASK)
def convolution_task(context, ithr, nthr):
    """Task `ithr` of the grid batch x oh x oc, oc fastest."""
    grid_oh, grid_oc = word(context, w.GRID_OH), word(context, w.GRID_OC)
    part_oc = ithr % grid_oc
    part_oh = ithr // grid_oc % grid_oh
    part_batch = ithr // (grid_oc * grid_oh)
    scratch = context + word(context, w.TASKS_OFFSET) + ithr * word(context, w.TASK_BYTES)
    note_thread(word(context, w.THREADS), ithr)
    args = scratch + w.ARGS
    store_i64(args + 8 * emit.A_STEP, word(context, w.SRC_C))
    store_i64(args + 8 * emit.SEGMENTS, scratch + w.SEGMENTS)
    set_length(args, 0, 0)
    store_i64(args + 8 * emit.POST_OPS, word(context, w.POST_OPS))
    store_i64(args + 8 * emit.POST_OP_SCALES, word(context, w.SCALES))
    panels = word(context, w.GROUP_PANELS) * word(context, w.GROUPS)
    first, end = balance(panels, grid_oc, part_oc), balance(panels, grid_oc, part_oc + 1)
    out_h, batch = word(context, w.OH), word(context, w.BATCH)
    grid_batch = word(context, w.GRID_BATCH)
    y, end_y = balance(out_h, grid_oh, part_oh), balance(out_h, grid_oh, part_oh + 1)
    corner = word(context, w.PAD_TOP) * word(context, w.SRC_H)
    corner += word(context, w.PAD_LEFT) * word(context, w.SRC_W)
    for n in range(
        balance(batch, grid_batch, part_batch), balance(batch, grid_batch, part_batch + 1)
    ):
        source = word(context, w.SRC) + n * word(context, w.SRC_N) - corner
        target = word(context, w.DST) + n * word(context, w.DST_N)
        if word(context, w.BY_TAPS) != 0:
            rows_by_taps(context, scratch, source, target, first, end, y, end_y)
        else:
            _image_rows(context, scratch, source, target, first, end, y, end_y)
    return 0


@kernel
def _fill_arrays(context, src, dst):
    """`src` and `dst` come with their axes in the order n, h, w, c."""
    store_i64(context + 8 * w.SRC, src.ctypes.data)
    store_i64(context + 8 * w.DST, dst.ctypes.data)
    for i in range(4):
        store_i64(context + 8 * (w.SRC_N + i), src.strides[i])
        store_i64(context + 8 * (w.DST_N + i), dst.strides[i])


@kernel
def _fill_weights(context, weights):
    store_i64(context + 8 * w.WEIGHTS, weights.ctypes.data)
    for i in range(4):
        store_i64(context + 8 * (w.WEIGHTS_OC + i), weights.strides[i])


@kernel
def _provide_input(context, pool, tasks):
    """Reorder the input if the kernel cannot read it where it lies. Returns a code.

    The depthwise kernel loads vectors of channels; the dense one broadcasts elements, at any
    stride (copying a three-channel NCHW input to join its runs first was 3 % slower).
    """
    channels, iw = word(context, w.CHANNELS), word(context, w.IW)
    code = 0
    if word(context, w.DEPTHWISE) != 0 and word(context, w.SRC_C) != 4:
        units = word(context, w.BATCH) * word(context, w.IH)
        code = region(pool, min(word(context, w.TASKS), units), tasks[2], context)
        store_i64(context + 8 * w.SRC, context + word(context, w.NHWC_OFFSET))
        store_i64(context + 8 * w.SRC_N, 4 * channels * iw * word(context, w.IH))
        store_i64(context + 8 * w.SRC_H, 4 * channels * iw)
        store_i64(context + 8 * w.SRC_W, 4 * channels)
        store_i64(context + 8 * w.SRC_C, 4)
    merged = (
        word(context, w.GROUPS) == 1
        and word(context, w.DEPTHWISE) == 0
        and word(context, w.VECTOR) == 0
        and word(context, w.DILATION_W) == 1
        and word(context, w.SRC_W) == word(context, w.SRC_C) * channels
    )
    store_i64(context + 8 * w.MERGED, 1 if merged else 0)
    return code


@kernel
def _provide_panels(context, pool, tasks, weights):
    """Point at packed weights, packing them first if they are plain. Returns a code."""
    if weights.ndim == 1:
        store_i64(context + 8 * w.PACKED, weights.ctypes.data)
        return 0
    _fill_weights(context, weights)
    store_i64(context + 8 * w.PACKED, context + word(context, w.PACKED_OFFSET))
    units = word(context, w.GROUP_PANELS) * word(context, w.GROUPS)
    return region(pool, min(word(context, w.TASKS), units), tasks[1], context)


def _execute(pool, plan, scratch, verbose, tasks, src, weights, bias, dst):
    """Run one convolution; `tasks` holds the addresses of the three tasks. Returns a code.

    `weights` is a one-dimensional array when it is packed. `bias` of size 0 is none.
    """
    context = begin(plan, scratch)
    _fill_arrays(context, src, dst)
    store_i64(context + 8 * w.BIAS, bias.ctypes.data if bias.size > 0 else 0)
    if verbose:
        store_i64(context + 8 * w.THREADS, context + word(context, w.THREADS_OFFSET))
    code = _provide_input(context, pool, tasks)
    if code == 0:
        code = _provide_panels(context, pool, tasks, weights)
    if code == 0:
        code = region(pool, word(context, w.TASKS), tasks[0], context)
    return code


def _pack(pool, plan, scratch, task, weights, panels):
    """Pack all weights into `panels`. Returns a code."""
    context = begin(plan, scratch)
    _fill_weights(context, weights)
    store_i64(context + 8 * w.PACKED, panels.ctypes.data)
    units = word(context, w.GROUP_PANELS) * word(context, w.GROUPS)
    return region(pool, min(word(context, w.TASKS), units), task, context)


@cache
def execute(packed: bool) -> Any:
    """`_execute` compiled for packed or plain weights, whatever the arrays' strides."""
    signature = types.int32(
        types.int64, PLAN, SCRATCH, types.boolean, PLAN, input_array(4),
        input_array(1 if packed else 4), input_array(1), output_array(4),
    )
    return fixed_kernel("convolution calls", _execute, signature)


@cache
def pack() -> Any:
    """`_pack`, compiled."""
    signature = types.int32(types.int64, PLAN, SCRATCH, types.int64, input_array(4), panels_array())
    return fixed_kernel("convolution weight packing calls", _pack, signature)


@cache
def tasks() -> np.ndarray:
    """Addresses of the tasks: the convolution, packing weights, reordering the input."""
    addresses = np.array([convolution_task(), pack_task(), reorder_task()], dtype=np.int64)
    addresses.flags.writeable = False
    return addresses
