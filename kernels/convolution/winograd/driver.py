"""The nopython side of a Winograd convolution.

A task owns a range of tiles, counted over all images, and of panels of output channels. It takes
its tiles in blocks: transforms a block's input once, then for each panel multiplies all xi and
transforms the products, while they are in cache, into outputs. Positions outside the image are read
from a line of zeros and written to a line nobody reads, so the input is never padded.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numba import types

from ...compiling import c_function, fixed_kernel, kernel
from ...microkernels import emit, winograd
from ...microkernels.memory import (
    call_microkernel,
    load_f32,
    load_i64,
    store_f32,
    store_i64,
)
from ...panels import balance, set_length, tile_rows
from ...words import (
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
from .packing import pack_task


@kernel
def _tile_corner(context, tile):
    """(image, first output row, first output column) of a tile."""
    across, down = word(context, w.TILES_W), word(context, w.TILES_H)
    image, rest = tile // (across * down), tile % (across * down)
    row, column = rest // across, rest % across
    if word(context, w.VERTICAL) != 0:
        row, column = rest % down, rest // down
    return image, word(context, w.OUTPUTS_H) * row, word(context, w.OUTPUTS_W) * column


@kernel
def _copy_patch(context, scratch, position, address):
    """The channels at `address` made contiguous; returns where."""
    patch, by_c, ic = scratch + word(context, w.PATCH), word(context, w.SRC_C), word(context, w.IC)
    target = patch + position * word(context, w.V_ROW)
    for c in range(ic):
        store_f32(target + 4 * c, load_f32(address + by_c * c))
    return target


@kernel
def _transform_input(context, scratch, image, y, x, row):
    """The tile whose first output is (y, x) into row `row` of V."""
    y, x = y - word(context, w.PAD_TOP), x - word(context, w.PAD_LEFT)
    by_h, by_w = word(context, w.SRC_H), word(context, w.SRC_W)
    height, width = word(context, w.POSITIONS_H), word(context, w.POSITIONS_W)
    source = word(context, w.SRC) + image * word(context, w.SRC_N) + y * by_h + x * by_w
    ih, iw = word(context, w.IH), word(context, w.IW)
    contiguous = word(context, w.SRC_C) == 4
    for i in range(height):
        for j in range(width):
            address = scratch + word(context, w.LINES)
            if 0 <= y + i < ih and 0 <= x + j < iw:
                address = source + i * by_h + j * by_w
                if not contiguous:
                    address = _copy_patch(context, scratch, width * i + j, address)
            store_i64(scratch + w.ADDRESSES + 8 * (width * i + j), address)
    args = scratch + w.INPUT_ARGS
    store_i64(args + 8 * winograd.V, scratch + word(context, w.V) + row * word(context, w.V_ROW))
    call_microkernel(word(context, w.INPUT_TRANSFORM), word(context, w.VARIANT), 0, args)


@kernel
def _fill_offsets(context, scratch, tile, row):
    """Offsets of a tile's outputs from the output's first element, or of the dump line."""
    image, y, x = _tile_corner(context, tile)
    by_h, by_w = word(context, w.DST_H), word(context, w.DST_W)
    height, width = word(context, w.OUTPUTS_H), word(context, w.OUTPUTS_W)
    corner = image * word(context, w.DST_N) + y * by_h + x * by_w
    dump = scratch + word(context, w.LINES) + word(context, w.V_ROW) - word(context, w.DST)
    offsets = scratch + w.OUT_OFFSETS + row * w.TILE_OFFSETS
    for i in range(height):
        for j in range(width):
            inside = y + i < word(context, w.OH) and x + j < word(context, w.OW)
            here = corner + i * by_h + j * by_w
            store_i64(offsets + 8 * (width * i + j), here if inside else dump)


@kernel
def _multiply(context, scratch, tiles, panel, nv):
    """The products of all xi, for the tiles of a block and one panel."""
    args, ic, kc = scratch + w.GEMM_ARGS, word(context, w.IC), word(context, w.KC)
    points = word(context, w.POSITIONS_H) * word(context, w.POSITIONS_W)
    groups = word(context, w.TAP_GROUPS)
    width = 4 * word(context, w.LANES) * nv
    packed = word(context, w.PACKED) + panel * word(context, w.PANEL_BYTES)
    products = scratch + word(context, w.PRODUCTS)
    mr = (word(context, w.MR_TABLE) >> (8 * (nv - 1))) & 255
    blocks = max(1, (ic + kc - 1) // kc)
    store_i64(args + 8 * emit.B_STRIDE, width)
    for xi in range(points):
        store_i64(args + 8 * emit.A, scratch + word(context, w.V) + xi * word(context, w.V_STRIDE))
        store_i64(args + 8 * emit.B, packed + xi * ic * groups * width)
        store_i64(args + 8 * emit.P, products + xi * word(context, w.P_STRIDE))
        store_i64(args + 8 * emit.C, products + xi * word(context, w.P_STRIDE))
        for part in range(groups * blocks):
            group, block = part // blocks, part % blocks
            start = balance(ic, blocks, block)
            # The second half of the taps meets the inputs of the next tile, in the next row.
            store_i64(scratch + w.SEGMENT, group * word(context, w.V_ROW) + 4 * start)
            store_i64(scratch + w.SEGMENT + 8, group * ic + start)
            set_length(args, balance(ic, blocks, block + 1) - start, 0)
            store_i64(args + 8 * emit.FIRST, 1 if part == 0 else 0)
            store_i64(args + 8 * emit.LAST, 1 if part == groups * blocks - 1 else 0)
            tile_rows(word(context, w.MICROKERNEL), args, tiles, mr, nv, scratch + w.V_ROWS,
                      scratch + w.P_ROWS, scratch + w.P_ROWS)


@kernel
def _move_results(context, scratch, offsets, channel, valid, load):
    """Copy a tile's pixels of `valid` channels between a buffer and an output of any strides."""
    by_c, pixels = word(context, w.DST_C), word(context, w.OUTPUTS_H) * word(context, w.OUTPUTS_W)
    results, target = scratch + word(context, w.RESULTS), word(context, w.DST) + channel * by_c
    for i in range(pixels):
        outside = target + load_i64(offsets + 8 * i)
        if load_i64(offsets + 8 * i) == _dump_offset(context, scratch):
            continue
        for j in range(valid):
            here = results + 4 * (word(context, w.LANES) * i + j)
            if load:
                store_f32(here, load_f32(outside + by_c * j))
            else:
                store_f32(outside + by_c * j, load_f32(here))


@kernel
def _dump_offset(context, scratch):
    return scratch + word(context, w.LINES) + word(context, w.V_ROW) - word(context, w.DST)


@kernel
def _transform_output(context, scratch, row, channel, valid, products):
    """One vector of channels of one tile, from the products to the output."""
    args, offsets = scratch + w.OUTPUT_ARGS, scratch + w.OUT_OFFSETS + row * w.TILE_OFFSETS
    bias = word(context, w.BIAS)
    store_i64(args + 8 * emit.A, products)
    store_i64(args + 8 * emit.BIAS, 0 if bias == 0 else bias + 4 * channel)
    store_i64(args + 8 * emit.LANES, valid)
    if word(context, w.DST_C) == 4:
        store_i64(args + 8 * emit.C, word(context, w.DST) + 4 * channel)
        store_i64(args + 8 * emit.C_OFFSETS, offsets)
        call_microkernel(word(context, w.OUTPUT_TRANSFORM), word(context, w.VARIANT), 0, args)
        return
    if word(context, w.NEEDS_OUT) != 0:
        _move_results(context, scratch, offsets, channel, valid, True)
    store_i64(args + 8 * emit.C, scratch + word(context, w.RESULTS))
    # Offsets of consecutive vectors, which the last tile of a full block does not need.
    table = scratch + w.OUT_OFFSETS + w.MAX_BLOCK * w.TILE_OFFSETS
    for i in range(word(context, w.OUTPUTS_H) * word(context, w.OUTPUTS_W)):
        store_i64(table + 8 * i, 4 * word(context, w.LANES) * i)
    store_i64(args + 8 * emit.C_OFFSETS, table)
    call_microkernel(word(context, w.OUTPUT_TRANSFORM), word(context, w.VARIANT), 0, args)
    _move_results(context, scratch, offsets, channel, valid, False)


@kernel
def _transform_inputs(context, scratch, first_tile, tiles):
    """The tiles of a block, and where taps come in two parts those behind the ends of lines."""
    vertical, halves = word(context, w.VERTICAL) != 0, word(context, w.TAP_GROUPS) > 1
    along = word(context, w.TILES_H) if vertical else word(context, w.TILES_W)
    row = 0
    for i in range(tiles):
        image, y, x = _tile_corner(context, first_tile + i)
        store_i64(scratch + w.V_ROWS + 8 * i, row * word(context, w.V_ROW))
        _transform_input(context, scratch, image, y, x, row)
        row += 1
        if halves and (i == tiles - 1 or (first_tile + i + 1) % along == 0):
            if vertical:
                y += word(context, w.OUTPUTS_H)
            else:
                x += word(context, w.OUTPUTS_W)
            _transform_input(context, scratch, image, y, x, row)
            row += 1


@kernel
def _block(context, scratch, first_tile, tiles, first, end):
    """A block of tiles and the panels first..end-1."""
    _transform_inputs(context, scratch, first_tile, tiles)
    for i in range(tiles):
        _fill_offsets(context, scratch, first_tile + i, i)
    nr, lanes, oc = word(context, w.NR), word(context, w.LANES), word(context, w.OC)
    for panel in range(first, end):
        valid = min(nr, oc - panel * nr)
        nv = (valid + lanes - 1) // lanes
        _multiply(context, scratch, tiles, panel, nv)
        for i in range(tiles):
            row = scratch + word(context, w.PRODUCTS) + i * 4 * nr
            for v in range(nv):
                _transform_output(context, scratch, i, panel * nr + lanes * v,
                                  min(lanes, valid - lanes * v), row + 4 * lanes * v)


@kernel
def _prepare(context, scratch):
    """What is the same for all blocks of a task."""
    gemm, out, inp = scratch + w.GEMM_ARGS, scratch + w.OUTPUT_ARGS, scratch + w.INPUT_ARGS
    lanes, ic = word(context, w.LANES), word(context, w.IC)
    store_i64(gemm + 8 * emit.A_STEP, 4)
    store_i64(gemm + 8 * emit.SEGMENTS, scratch + w.SEGMENT)
    store_i64(gemm + 8 * emit.NSEGMENTS, 1)
    store_i64(gemm + 8 * emit.BIAS, 0)
    store_i64(gemm + 8 * emit.LANES, lanes)  # products are whole vectors
    store_i64(gemm + 8 * emit.POST_OPS, 0)
    store_i64(gemm + 8 * emit.POST_OP_SCALES, word(context, w.SCALES))
    store_i64(out + 8 * emit.A_STEP, word(context, w.P_STRIDE))
    store_i64(out + 8 * emit.POST_OPS, word(context, w.POST_OPS))
    store_i64(out + 8 * emit.POST_OP_SCALES, word(context, w.SCALES))
    store_i64(inp + 8 * winograd.TABLE, scratch + w.ADDRESSES)
    store_i64(inp + 8 * winograd.V_STRIDE, word(context, w.V_STRIDE))
    store_i64(inp + 8 * winograd.VECTORS, ic // lanes)
    store_i64(inp + 8 * winograd.TAIL, ic % lanes)
    for i in range(word(context, w.BLOCK)):
        store_i64(scratch + w.P_ROWS + 8 * i, i * 4 * word(context, w.NR))
    for c in range(ic):
        store_f32(scratch + word(context, w.LINES) + 4 * c, 0.0)


@c_function("Winograd convolution", TASK)
def winograd_task(context, ithr, nthr):
    """Task `ithr` of the grid tiles x oc, oc fastest."""
    scratch = context + word(context, w.TASKS_OFFSET) + ithr * word(context, w.TASK_BYTES)
    note_thread(word(context, w.THREADS), ithr)
    _prepare(context, scratch)
    grid_tiles, grid_oc = word(context, w.GRID_TILES), word(context, w.GRID_OC)
    part, part_oc = ithr // grid_oc, ithr % grid_oc
    panels = word(context, w.PANELS)
    first, end = balance(panels, grid_oc, part_oc), balance(panels, grid_oc, part_oc + 1)
    total = word(context, w.BATCH) * word(context, w.TILES_H) * word(context, w.TILES_W)
    start = balance(total, grid_tiles, part)
    tiles = balance(total, grid_tiles, part + 1) - start
    blocks = (tiles + word(context, w.BLOCK) - 1) // word(context, w.BLOCK)
    for block in range(blocks):
        here = balance(tiles, blocks, block)
        _block(context, scratch, start + here, balance(tiles, blocks, block + 1) - here, first, end)
    return 0


@kernel
def _fill_weights(context, weights):
    store_i64(context + 8 * w.WEIGHTS, weights.ctypes.data)
    for i in range(4):
        store_i64(context + 8 * (w.WEIGHTS_OC + i), weights.strides[i])


@kernel
def _provide_panels(context, pool, tasks, weights):
    """Point at transformed weights, transforming them first if they are plain. Returns a code."""
    if weights.ndim == 1:
        store_i64(context + 8 * w.PACKED, weights.ctypes.data)
        return 0
    _fill_weights(context, weights)
    store_i64(context + 8 * w.PACKED, context + word(context, w.PACKED_OFFSET))
    return region(pool, min(word(context, w.TASKS), word(context, w.PANELS)), tasks[1], context)


def _execute(pool, plan, scratch, verbose, tasks, src, weights, bias, dst):
    """Run one convolution; `tasks` holds the addresses of the two tasks. Returns a code.

    `src` and `dst` come with their axes in the order n, h, w, c. `weights` is a one-dimensional
    array when it is packed. `bias` of size 0 is none.
    """
    context = begin(plan, scratch)
    store_i64(context + 8 * w.SRC, src.ctypes.data)
    store_i64(context + 8 * w.DST, dst.ctypes.data)
    for i in range(4):
        store_i64(context + 8 * (w.SRC_N + i), src.strides[i])
        store_i64(context + 8 * (w.DST_N + i), dst.strides[i])
    store_i64(context + 8 * w.BIAS, bias.ctypes.data if bias.size > 0 else 0)
    if verbose:
        store_i64(context + 8 * w.THREADS, context + word(context, w.THREADS_OFFSET))
    code = _provide_panels(context, pool, tasks, weights)
    if code == 0:
        code = region(pool, word(context, w.TASKS), tasks[0], context)
    return code


def _pack(pool, plan, scratch, task, weights, panels):
    """Transform all weights into `panels`. Returns a code."""
    context = begin(plan, scratch)
    _fill_weights(context, weights)
    store_i64(context + 8 * w.PACKED, panels.ctypes.data)
    return region(pool, min(word(context, w.TASKS), word(context, w.PANELS)), task, context)


@cache
def execute(packed: bool) -> Any:
    """`_execute` compiled for packed or plain weights, whatever the arrays' strides."""
    signature = types.int32(
        types.int64, PLAN, SCRATCH, types.boolean, PLAN, input_array(4),
        input_array(1 if packed else 4), input_array(1), output_array(4),
    )
    return fixed_kernel("Winograd convolution calls", _execute, signature)


@cache
def pack() -> Any:
    """`_pack`, compiled."""
    signature = types.int32(types.int64, PLAN, SCRATCH, types.int64, input_array(4), panels_array())
    return fixed_kernel("Winograd weight packing calls", _pack, signature)


@cache
def tasks() -> np.ndarray:
    """Addresses of the tasks: the convolution, and transforming weights."""
    addresses = np.array([winograd_task(), pack_task()], dtype=np.int64)
    addresses.flags.writeable = False
    return addresses
