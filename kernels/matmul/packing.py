"""Packing B: panels of NR columns, each K rows one after the other.

    packed[panel][k][j] = B[k, panel * NR + j]

A last panel of fewer columns is as wide as the vectors it needs, padded with zeros, which are
multiplied by finite and non-finite A alike but never stored.
"""

from __future__ import annotations

from ..compiling import c_function, kernel
from ..microkernels.memory import copy_bytes, load_f32, store_f32
from ..panels import balance
from ..words import TASK, word
from . import layout as w


@kernel
def pack_panel(b, b_k, b_n, depth, valid, width, packed):
    """Pack `depth` rows of `valid` columns at `b` into rows of `width` columns at `packed`."""
    if b_n == 4:
        for k in range(depth):
            copy_bytes(packed + 4 * width * k, b + b_k * k, 4 * valid)
    else:
        for j in range(valid):
            for k in range(depth):
                store_f32(packed + 4 * (width * k + j), load_f32(b + b_k * k + b_n * j))
    for j in range(valid, width):
        for k in range(depth):
            store_f32(packed + 4 * (width * k + j), 0.0)


@kernel
def pack_one(context, matrix, panel):
    """Pack one panel of one matrix of B's own batch."""
    nr, lanes, columns = word(context, w.NR), word(context, w.LANES), word(context, w.N)
    valid = min(nr, columns - panel * nr)
    width = (valid + lanes - 1) // lanes * lanes
    b = word(context, w.B) + matrix_offset(context, matrix) + word(context, w.B_N) * panel * nr
    packed = word(context, w.PACKED) + matrix * word(context, w.MATRIX_BYTES)
    packed += panel * word(context, w.PANEL_BYTES)
    pack_panel(b, word(context, w.B_K), word(context, w.B_N), word(context, w.K),
               valid, width, packed)


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
    for unit in range(balance(units, nthr, ithr), balance(units, nthr, ithr + 1)):
        pack_one(context, unit // panels, unit % panels)
    return 0


@c_function("matmul tail packing", TASK)
def pack_tail_task(context, ithr, nthr):
    """Pack only the last, narrower panel of this task's share of matrices: the rest is in place."""
    panels, matrices = word(context, w.PANELS), word(context, w.B_MATRICES)
    for matrix in range(balance(matrices, nthr, ithr), balance(matrices, nthr, ithr + 1)):
        pack_one(context, matrix, panels - 1)
    return 0
