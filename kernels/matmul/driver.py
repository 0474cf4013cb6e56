"""The nopython side of Matmul: the task's own loops, and the call that starts the tasks.

A task owns a range of matrices, of tile rows and of panels. For each matrix it walks blocks of MC
rows, inside them blocks of KC of K, inside them its panels: a block of A stays in L2 while the
panels of B stream past it. Sums that span K blocks wait in C itself or, when a post-op needs what
C held before, in the task's scratch.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numba import types

from ..compiling import c_function, fixed_kernel, kernel
from ..microkernels import emit
from ..microkernels.memory import store_i64
from ..panels import balance, sweep_panels
from ..words import (
    PANELS,
    PLAN,
    SCRATCH,
    TASK,
    begin,
    input_array,
    note_thread,
    output_array,
    region,
    word,
)
from . import layout as w
from .packing import pack_tail_task, pack_task


@kernel
def _prepare(context, scratch, rows):
    """Fill the parts of the argument block and the offset tables that no block changes."""
    args = scratch + w.ARGS
    store_i64(args + 8 * emit.A_STEP, word(context, w.A_K))
    store_i64(args + 8 * emit.SEGMENTS, scratch + w.SEGMENT)
    store_i64(args + 8 * emit.NSEGMENTS, 1)
    store_i64(args + 8 * emit.POST_OPS, word(context, w.POST_OPS))
    store_i64(args + 8 * emit.POST_OP_SCALES, word(context, w.SCALES))
    a_row, c_row = word(context, w.A_ROW), word(context, w.C_ROW)
    p_row = 4 * word(context, w.NR) * word(context, w.PANELS)
    if word(context, w.PARTIALS) == 0:
        p_row = c_row
    for i in range(rows):
        store_i64(scratch + w.TABLES + 8 * i, a_row * i)
        store_i64(scratch + w.TABLES + 8 * (rows + i), p_row * i)
        store_i64(scratch + w.TABLES + 8 * (2 * rows + i), c_row * i)


@kernel
def _set_k_block(context, scratch, block, blocks):
    depth = word(context, w.K)
    start, end = balance(depth, blocks, block), balance(depth, blocks, block + 1)
    args = scratch + w.ARGS
    store_i64(scratch + w.SEGMENT, word(context, w.A_K) * start)
    store_i64(scratch + w.SEGMENT + 8, start)
    store_i64(args + 8 * emit.LENGTH, end - start)
    store_i64(args + 8 * emit.FIRST, 1 if block == 0 else 0)
    store_i64(args + 8 * emit.LAST, 1 if block == blocks - 1 else 0)


@kernel
def _rows_by_panels(context, scratch, a, b, packed, c, rows, first, end):
    """One block of rows, all of K, the panels first..end-1."""
    args, tables = scratch + w.ARGS, scratch + w.TABLES
    table = 8 * word(context, w.MC)
    in_place = word(context, w.B_MODE) == w.B_IN_PLACE
    panel_bytes, panels = word(context, w.PANEL_BYTES), word(context, w.PANELS)
    b_first, b_pitch = packed, panel_bytes
    b_stride = 4 * word(context, w.NR)
    if in_place:
        b_first, b_pitch, b_stride = b, b_stride, word(context, w.B_K)
    p = c
    if word(context, w.PARTIALS) != 0:
        p = tables + 3 * table
    depth_max = word(context, w.KC)
    blocks = max(1, (word(context, w.K) + depth_max - 1) // depth_max)
    for block in range(blocks):
        _set_k_block(context, scratch, block, blocks)
        store_i64(args + 8 * emit.A, a)
        sweep_panels(
            word(context, w.MICROKERNEL), args, rows, tables, tables + table, tables + 2 * table,
            first, end, word(context, w.N), word(context, w.LANES), word(context, w.MR_TABLE),
            b_first, b_pitch, b_stride, packed + (panels - 1) * panel_bytes,
            p, c, word(context, w.BIAS),
        )


@kernel
def _one_matrix(context, scratch, matrix, row, end_row, first, end):
    a, b, c = word(context, w.A), word(context, w.B), word(context, w.C)
    packed_index = 0
    rest = matrix
    for d in range(word(context, w.BATCH_DIMS) - 1, -1, -1):
        entry = w.BATCH_TABLE + w.BATCH_ROW * d
        extent = word(context, entry + w.EXTENT)
        i = rest % extent
        rest //= extent
        a += i * word(context, entry + w.STRIDE_A)
        b += i * word(context, entry + w.STRIDE_B)
        c += i * word(context, entry + w.STRIDE_C)
        packed_index += i * word(context, entry + w.STRIDE_PACKED)
    packed = word(context, w.PACKED) + packed_index * word(context, w.MATRIX_BYTES)
    step = word(context, w.MC)
    for start in range(row, end_row, step):
        _rows_by_panels(
            context, scratch, a + word(context, w.A_ROW) * start, b, packed,
            c + word(context, w.C_ROW) * start, min(step, end_row - start), first, end,
        )


@c_function("matmul", TASK)
def matmul_task(context, ithr, nthr):
    """Task `ithr` of the grid batch x m x n, n fastest."""
    grid_m, grid_n = word(context, w.GRID_M), word(context, w.GRID_N)
    part_n = ithr % grid_n
    part_m = ithr // grid_n % grid_m
    part_batch = ithr // (grid_n * grid_m)
    scratch = context + word(context, w.TASKS_OFFSET) + ithr * word(context, w.TASK_BYTES)
    note_thread(word(context, w.THREADS), ithr)
    batch, grid_batch = word(context, w.BATCH), word(context, w.GRID_BATCH)
    m, mr, panels = word(context, w.M), word(context, w.MR), word(context, w.PANELS)
    tiles = (m + mr - 1) // mr
    row = mr * balance(tiles, grid_m, part_m)
    end_row = min(m, mr * balance(tiles, grid_m, part_m + 1))
    first, end = balance(panels, grid_n, part_n), balance(panels, grid_n, part_n + 1)
    _prepare(context, scratch, word(context, w.MC))
    for matrix in range(
        balance(batch, grid_batch, part_batch), balance(batch, grid_batch, part_batch + 1)
    ):
        _one_matrix(context, scratch, matrix, row, end_row, first, end)
    return 0


@kernel
def _fill_a_and_c(context, a, out):
    """Addresses and strides of A, turned round if it is transposed, and of C."""
    row, step = a.strides[a.ndim - 2], a.strides[a.ndim - 1]
    if word(context, w.TRANSPOSE_A) != 0:
        row, step = step, row
    store_i64(context + 8 * w.A, a.ctypes.data)
    store_i64(context + 8 * w.A_ROW, row)
    store_i64(context + 8 * w.A_K, step)
    store_i64(context + 8 * w.C, out.ctypes.data)
    store_i64(context + 8 * w.C_ROW, out.strides[out.ndim - 2])
    dims = out.ndim - 2
    for d in range(dims):
        entry = context + 8 * (w.BATCH_TABLE + w.BATCH_ROW * d)
        store_i64(entry + 8 * w.STRIDE_C, out.strides[d])
        i = d - dims + a.ndim - 2
        split = i >= 0 and a.shape[i] > 1  # otherwise A is broadcast along it
        store_i64(entry + 8 * w.STRIDE_A, a.strides[i] if split else 0)


@kernel
def _fill_b(context, b):
    """Address and strides of a plain B; 0 along batch dimensions where it is broadcast."""
    row, column = b.strides[b.ndim - 2], b.strides[b.ndim - 1]
    if word(context, w.TRANSPOSE_B) != 0:
        row, column = column, row
    store_i64(context + 8 * w.B, b.ctypes.data)
    store_i64(context + 8 * w.B_K, row)
    store_i64(context + 8 * w.B_N, column)
    dims = word(context, w.BATCH_DIMS)
    for d in range(dims):
        entry = context + 8 * (w.BATCH_TABLE + w.BATCH_ROW * d)
        i = d - dims + b.ndim - 2
        split = i >= 0 and b.shape[i] > 1
        store_i64(entry + 8 * w.STRIDE_B, b.strides[i] if split else 0)


@kernel
def _provide_panels(context, pool, tasks, b):
    """Decide how B is read and pack what must be packed. Returns a code."""
    if b.ndim == 1:
        store_i64(context + 8 * w.B_MODE, w.B_PACKED)
        store_i64(context + 8 * w.PACKED, b.ctypes.data)
        return 0
    _fill_b(context, b)
    store_i64(context + 8 * w.PACKED, context + word(context, w.PACKED_OFFSET))
    ntasks, matrices = word(context, w.TASKS), word(context, w.B_MATRICES)
    panels = word(context, w.PANELS)
    if word(context, w.B_MODE) == w.B_IN_PLACE:
        if word(context, w.B_N) == 4:
            if word(context, w.N) % word(context, w.NR) == 0:
                return 0
            return region(pool, min(ntasks, matrices), tasks[2], context)
        store_i64(context + 8 * w.B_MODE, w.B_PACK)
    return region(pool, min(ntasks, panels * matrices), tasks[1], context)


def _execute(pool, plan, scratch, verbose, tasks, a, b, bias, out):
    """Run one matmul; `tasks` holds the addresses of the three tasks. Returns a code.

    `b` is a one-dimensional array when it is packed. `bias` of size 0 is none. `out` has unit
    stride along its columns.
    """
    context = begin(plan, scratch)
    _fill_a_and_c(context, a, out)
    store_i64(context + 8 * w.BIAS, bias.ctypes.data if bias.size > 0 else 0)
    if verbose:
        store_i64(context + 8 * w.THREADS, context + word(context, w.THREADS_OFFSET))
    code = _provide_panels(context, pool, tasks, b)
    if code != 0:
        return code
    return region(pool, word(context, w.TASKS), tasks[0], context)


def _pack(pool, plan, scratch, task, b, panels):
    """Pack all of B into `panels`. Returns a code."""
    context = begin(plan, scratch)
    _fill_b(context, b)
    store_i64(context + 8 * w.PACKED, panels.ctypes.data)
    units = word(context, w.PANELS) * word(context, w.B_MATRICES)
    return region(pool, min(word(context, w.TASKS), units), task, context)


@cache
def execute(a_dims: int, b_dims: int, out_dims: int) -> Any:
    """`_execute` compiled for operands of so many dimensions, whatever their strides."""
    signature = types.int32(
        types.int64, PLAN, SCRATCH, types.boolean, PLAN, input_array(a_dims), input_array(b_dims),
        input_array(1), output_array(out_dims),
    )
    return fixed_kernel("matmul calls", _execute, signature)


@cache
def pack(b_dims: int) -> Any:
    """`_pack` compiled for a B of so many dimensions."""
    signature = types.int32(types.int64, PLAN, SCRATCH, types.int64, input_array(b_dims), PANELS)
    return fixed_kernel("matmul weight packing", _pack, signature)


@cache
def tasks() -> np.ndarray:
    """Addresses of the tasks: the product, packing all of B, packing only its last panel."""
    addresses = np.array([matmul_task(), pack_task(), pack_tail_task()], dtype=np.int64)
    addresses.flags.writeable = False
    return addresses
