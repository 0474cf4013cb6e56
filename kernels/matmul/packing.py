"""Packing B: panels of NR columns, each K rows one after the other.

    packed[panel][k][j] = B[k, panel * NR + j]

A last panel of fewer columns is as wide as the vectors it needs, padded with zeros, which are
multiplied by finite and non-finite A alike but never stored.
"""

from __future__ import annotations

from numba import types

from ..compiling import c_function, kernel
from ..microkernels import rows
from ..microkernels.memory import (
    call_microkernel,
    load_f32,
    load_i64,
    store_f32,
    store_i64,
)
from ..panels import balance
from ..words import TASK, word
from . import layout as w


@kernel
def pack_block(kernel, args, lanes, size, b, b_k, b_n, depth, valid, width, packed):
    """Pack `depth` rows of `valid` columns at `b` into rows of `width` columns at `packed`.

    `kernel` is that of rows, `args` room for its argument block, `size` the bytes of an element.
    """
    if b_n == size:
        store_i64(args + 8 * rows.A, b)
        store_i64(args + 8 * rows.A_STEP, b_k)
        store_i64(args + 8 * rows.C, packed)
        store_i64(args + 8 * rows.B_STEP, size * width)
        store_i64(args + 8 * rows.COUNT, depth)
        store_i64(args + 8 * rows.VECTORS, valid // lanes)
        store_i64(args + 8 * rows.LANES, valid % lanes)
        call_microkernel(kernel, rows.COPY, 0, args)
        return
    columns, k = valid // lanes, 0
    if b_k == size and columns > 0:
        store_i64(args + 8 * rows.A_STEP, b_n)
        store_i64(args + 8 * rows.B_STEP, size * width)
        store_i64(args + 8 * rows.COUNT, columns)
        while k + lanes <= depth:
            store_i64(args + 8 * rows.A, b + size * k)
            store_i64(args + 8 * rows.C, packed + size * width * k)
            call_microkernel(kernel, rows.TRANSPOSE, 0, args)
            k += lanes
    _copy_elements(size, b, b_k, b_n, 0, k, columns * lanes, valid, width, packed)
    _copy_elements(size, b, b_k, b_n, k, depth, 0, valid, width, packed)


@kernel
def _copy_elements(size, b, b_k, b_n, first_k, end_k, first_j, end_j, width, packed):
    """Columns first_j..end_j-1 of some rows, and zeros behind them."""
    for k in range(first_k, end_k):
        for j in range(first_j, width):
            source, target = b + b_k * k + b_n * j, packed + size * (width * k + j)
            if size == 8:
                store_i64(target, load_i64(source) if j < end_j else 0)
            else:
                store_f32(target, load_f32(source) if j < end_j else types.float32(0))


@kernel
def pack_one(context, args, matrix, panel):
    """Pack one panel of one matrix of B's own batch."""
    nr, lanes, columns = word(context, w.NR), word(context, w.LANES), word(context, w.N)
    valid = min(nr, columns - panel * nr)
    width = (valid + lanes - 1) // lanes * lanes
    b = word(context, w.B) + matrix_offset(context, matrix) + word(context, w.B_N) * panel * nr
    packed = word(context, w.PACKED) + matrix * word(context, w.MATRIX_BYTES)
    packed += panel * word(context, w.PANEL_BYTES)
    pack_block(word(context, w.ROWS), args, lanes, word(context, w.SIZE), b,
               word(context, w.B_K), word(context, w.B_N), word(context, w.K), valid, width, packed)


@kernel
def matrix_offset(context, matrix):
    """Byte offset of matrix number `matrix` of B's own batch (dimensions it broadcasts are 0)."""
    offset = 0
    for d in range(word(context, w.BATCH_DIMS) - 1, -1, -1):
        row = w.BATCH_TABLE + w.BATCH_ROW * d
        if word(context, row + w.STRIDE_PACKED) != 0:
            extent = word(context, row + w.EXTENT)
            offset += matrix % extent * word(context, row + w.STRIDE_B)
            matrix //= extent
    return offset


@c_function("matmul packing", TASK)
def pack_task(context, ithr, nthr):
    """Pack this task's share of all panels of all matrices."""
    panels = word(context, w.PANELS)
    units = panels * word(context, w.B_MATRICES)
    args = context + word(context, w.TASKS_OFFSET) + ithr * word(context, w.TASK_BYTES) + w.ARGS
    for unit in range(balance(units, nthr, ithr), balance(units, nthr, ithr + 1)):
        pack_one(context, args, unit // panels, unit % panels)
    return 0
