"""Small padded images, tap by tap.

A rectangle of pixels with equal taps reads the weights of all its taps. A 7x7 image under a 3x3
kernel has nine such, most of a few pixels, and they read the weights five times. Here each tap is
multiplied with all pixels that it has an input for, which are one rectangle too, and hands the sums
to the next tap: weights are read once, and tiles are full.
"""

from __future__ import annotations

from ..compiling import kernel
from ..microkernels import emit
from ..microkernels.memory import store_i64
from ..panels import balance, set_length
from ..words import word
from . import layout as w
from .blocks import group_panels, move_tile


@kernel
def _span(tap, start, end, stride, dilation, pad, size):
    """The positions of start..end-1 for which `tap` lies inside `size` input positions."""
    shift = tap * dilation - pad
    first = max(start, (stride - 1 - shift) // stride)
    last = min(end, (size - 1 - shift) // stride + 1)
    return first, max(first, last)


@kernel
def _fill_tables(context, scratch, origin, top, bottom, left, right, direct):
    """Offsets of the pixels of a rectangle; sums lie in the output, or pixel after pixel from row
    `origin` on.
    """
    tables, table = scratch + w.TABLES, 8 * word(context, w.PIXELS)
    a_h = word(context, w.STRIDE_H) * word(context, w.SRC_H)
    a_w = word(context, w.STRIDE_W) * word(context, w.SRC_W)
    c_h, c_w = word(context, w.DST_H), word(context, w.DST_W)
    ow, tile_row = word(context, w.OW), 4 * word(context, w.NR)
    i = 0
    for row in range(top, bottom):
        for column in range(left, right):
            there = row * c_h + column * c_w
            here = there if direct else ((row - origin) * ow + column) * tile_row
            store_i64(tables + 8 * i, row * a_h + column * a_w)
            store_i64(tables + table + 8 * i, here)
            store_i64(tables + 2 * table + 8 * i, here)
            store_i64(tables + 3 * table + 8 * i, there)
            i += 1


@kernel
def _without_taps(context, scratch, pixels, source, first, end, p, c, last):
    """Clear the sums of all pixels; or, at `last`, add bias, apply post-ops and write results."""
    args = scratch + w.ARGS
    store_i64(args + 8 * emit.NSEGMENTS, 0)
    store_i64(args + 8 * emit.FIRST, 1 - last)
    store_i64(args + 8 * emit.LAST, last)
    group_panels(context, scratch, pixels, source, first, end, p, c)


@kernel
def _one_tap(context, scratch, source, y, end_y, kh, kw, first, end, p, c, direct):
    """Add the products of one tap to the sums of the pixels it has an input for."""
    top, bottom = _span(kh, y, end_y, word(context, w.STRIDE_H), word(context, w.DILATION_H),
                        word(context, w.PAD_TOP), word(context, w.IH))
    left, right = _span(kw, 0, word(context, w.OW), word(context, w.STRIDE_W),
                        word(context, w.DILATION_W), word(context, w.PAD_LEFT),
                        word(context, w.IW))
    pixels = (bottom - top) * (right - left)
    if pixels == 0:
        return
    _fill_tables(context, scratch, y, top, bottom, left, right, direct)
    args, segments, ic = scratch + w.ARGS, scratch + w.SEGMENTS, word(context, w.IC)
    offset = kh * word(context, w.DILATION_H) * word(context, w.SRC_H)
    offset += kw * word(context, w.DILATION_W) * word(context, w.SRC_W)
    b_row = (kh * word(context, w.KW) + kw) * ic
    chunks = (ic + word(context, w.KC) - 1) // word(context, w.KC)
    for chunk in range(chunks):
        start, stop = balance(ic, chunks, chunk), balance(ic, chunks, chunk + 1)
        store_i64(segments, offset + start * word(context, w.SRC_C))
        store_i64(segments + 8, b_row + start)
        set_length(args, stop - start, word(context, w.VECTOR))
        group_panels(context, scratch, pixels, source, first, end, p, c)


@kernel
def _all_taps(context, scratch, source, y, end_y, first, end, p, c, direct):
    """Panels first..end-1 of the rows y..end_y-1, which fit the tables."""
    args, ow = scratch + w.ARGS, word(context, w.OW)
    pixels = (end_y - y) * ow
    _fill_tables(context, scratch, y, y, end_y, 0, ow, direct)
    _without_taps(context, scratch, pixels, source, first, end, p, c, 0)
    store_i64(args + 8 * emit.NSEGMENTS, 1)
    store_i64(args + 8 * emit.FIRST, 0)
    for kh in range(word(context, w.KH)):
        for kw in range(word(context, w.KW)):
            _one_tap(context, scratch, source, y, end_y, kh, kw, first, end, p, c, direct)
    _fill_tables(context, scratch, y, y, end_y, 0, ow, direct)
    _without_taps(context, scratch, pixels, source, first, end, p, c, 1)


@kernel
def _panel_through_tile(context, scratch, source, target, y, end_y, panel):
    """One panel whose results cannot go straight to the output: strided, or still to be read."""
    results = scratch + w.TABLES + 32 * word(context, w.PIXELS)
    partials = results + 4 * word(context, w.NR) * word(context, w.PIXELS)
    nr, oc, panels = word(context, w.NR), word(context, w.OC), word(context, w.GROUP_PANELS)
    group, local = panel // panels, panel % panels
    valid, pixels = min(nr, oc - local * nr), (end_y - y) * word(context, w.OW)
    shift = 4 * (group * oc + local * nr)  # what the sweep adds for this panel
    channels = target + (group * oc + local * nr) * word(context, w.DST_C)
    if word(context, w.NEEDS_OUT) != 0:
        _fill_tables(context, scratch, y, y, end_y, 0, word(context, w.OW), False)
        move_tile(context, scratch, results, channels, pixels, valid, True)
    _all_taps(context, scratch, source, y, end_y, panel, panel + 1, partials - shift,
              results - shift, False)
    move_tile(context, scratch, results, channels, pixels, valid, False)


@kernel
def rows_by_taps(context, scratch, source, target, first, end, y, end_y):
    """Output rows y..end_y-1 of one image; panels first..end-1."""
    step = word(context, w.PIXELS) // word(context, w.OW)
    direct = word(context, w.DST_C) == 4 and word(context, w.NEEDS_OUT) == 0
    for start in range(y, end_y, step):
        stop = min(end_y, start + step)
        if direct:
            _all_taps(context, scratch, source, start, stop, first, end, target, target, True)
        else:
            for panel in range(first, end):
                _panel_through_tile(context, scratch, source, target, start, stop, panel)
