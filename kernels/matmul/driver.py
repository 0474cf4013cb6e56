"""The nopython side of Matmul: the task's own loops, and the call that starts the tasks.

A task owns a range of matrices, of tile rows and of panels. For each matrix it walks blocks of MC
rows, inside them blocks of KC of K, inside them its panels: a block of A stays in L2 while the
panels of B stream past it. Sums that span K blocks wait in C itself or, when a post-op needs what C
held before, in the task's scratch. A block of B that only one task reads is packed by it just
before it is used, so that it never leaves the cache; of so few rows that not even that pays, B is
read in place.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numba import types

from ..compiling import c_function, fixed_kernel, kernel
from ..microkernels import emit, gemv
from ..microkernels import rows as sums
from ..microkernels.memory import call_microkernel, store_i64
from ..panels import balance, set_length, sweep_panels
from ..words import (
    CACHE_LINE,
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
from .packing import pack_block, pack_task


@kernel
def _slice_row(context):
    """Bytes of a row of the product of a slice."""
    lanes, columns = word(context, w.LANES), word(context, w.N)
    return (columns + lanes - 1) // lanes * lanes * word(context, w.SIZE)


@kernel
def _prepare(context, scratch, rows):
    """Fill the parts of the argument block and the offset tables that no block changes."""
    args = scratch + w.ARGS
    store_i64(args + 8 * emit.A_STEP, word(context, w.A_K))
    store_i64(args + 8 * emit.SEGMENTS, scratch + w.SEGMENT)
    store_i64(args + 8 * emit.NSEGMENTS, 1)
    store_i64(args + 8 * emit.POST_OPS, 0 if word(context, w.SLICES) > 1 else
              word(context, w.POST_OPS))
    store_i64(args + 8 * emit.POST_OP_SCALES, word(context, w.SCALES))
    a_row, c_row = word(context, w.A_ROW), word(context, w.C_ROW)
    if word(context, w.SLICES) > 1:
        c_row = _slice_row(context)
    p_row = word(context, w.SIZE) * word(context, w.NR) * word(context, w.PANELS)
    if word(context, w.PARTIALS) == 0:
        p_row = c_row
    for i in range(rows):
        store_i64(scratch + w.TABLES + 8 * i, a_row * i)
        store_i64(scratch + w.TABLES + 8 * (rows + i), p_row * i)
        store_i64(scratch + w.TABLES + 8 * (2 * rows + i), c_row * i)


@kernel
def _set_k_block(context, scratch, start, end, k_first, k_end):
    args = scratch + w.ARGS
    store_i64(scratch + w.SEGMENT, word(context, w.A_K) * start)
    set_length(args, end - start, word(context, w.VECTOR))
    store_i64(args + 8 * emit.FIRST, 1 if start == k_first else 0)
    store_i64(args + 8 * emit.LAST, 1 if end == k_end else 0)


@kernel
def _sweep(context, scratch, rows, first, end, b, b_pitch, b_stride, b_tail, p, c, bias):
    """The rows against the panels first..end-1, wherever these lie."""
    tables, table = scratch + w.TABLES, 8 * word(context, w.MC)
    sweep_panels(
        word(context, w.MICROKERNEL), scratch + w.ARGS, rows, tables, tables + table,
        tables + 2 * table, first, end, word(context, w.N), word(context, w.LANES),
        word(context, w.SIZE), word(context, w.MR_TABLE), b, b_pitch, b_stride, b_tail, p, c, bias,
    )


@kernel
def _bias(context):
    """That of a product; one of a slice has none."""
    return 0 if word(context, w.SLICES) > 1 else word(context, w.BIAS)


@kernel
def _stream(context, scratch, rows, b, p, c, first, end, start, stop):
    """The rows against the panels first..end-1 of K from `start` to `stop`, packed one by one."""
    nr, lanes, size = word(context, w.NR), word(context, w.LANES), word(context, w.SIZE)
    b_k, b_n = word(context, w.B_K), word(context, w.B_N)
    block = scratch + word(context, w.STREAM_OFFSET)
    store_i64(scratch + w.SEGMENT + 8, 0)
    for panel in range(first, end):
        valid = min(nr, word(context, w.N) - panel * nr)
        width = (valid + lanes - 1) // lanes * lanes
        pack_block(word(context, w.ROWS), scratch + w.PACKING_ARGS, lanes, size,
                   b + b_k * start + b_n * nr * panel, b_k, b_n, stop - start, valid, width, block)
        _sweep(context, scratch, rows, panel, panel + 1, block, 0, size * nr, block, p, c,
               _bias(context))


@kernel
def _k_blocks(context, depth):
    """Blocks that `depth` terms are added up in."""
    deepest = word(context, w.KC)
    return max(1, (depth + deepest - 1) // deepest)


@kernel
def _rows_by_panels(context, scratch, a, b, packed, c, rows, first, end, k_first, k_end):
    """One block of rows, K from `k_first` to `k_end`, the panels first..end-1."""
    mode, nr, size = word(context, w.B_MODE), word(context, w.NR), word(context, w.SIZE)
    panel_bytes, panels = word(context, w.PANEL_BYTES), word(context, w.PANELS)
    b_first, b_pitch, b_stride, streamed = packed, panel_bytes, size * nr, end
    if mode == w.B_STREAM:
        streamed = first
    elif mode == w.B_IN_PLACE:
        b_first, b_pitch, b_stride = b, b_stride, word(context, w.B_K)
        if end == panels and word(context, w.N) % nr != 0:  # tiles read whole vectors of B
            streamed = end - 1
    p = c
    if word(context, w.PARTIALS) != 0:
        p = scratch + w.TABLES + 24 * word(context, w.MC)
    depth = k_end - k_first
    blocks = _k_blocks(context, depth)
    for block in range(blocks):
        start = k_first + balance(depth, blocks, block)
        stop = k_first + balance(depth, blocks, block + 1)
        _set_k_block(context, scratch, start, stop, k_first, k_end)
        store_i64(scratch + w.ARGS + 8 * emit.A, a)
        store_i64(scratch + w.SEGMENT + 8, start)
        _sweep(context, scratch, rows, first, streamed, b_first, b_pitch, b_stride,
               packed + (panels - 1) * panel_bytes, p, c, _bias(context))
        _stream(context, scratch, rows, b, p, c, streamed, end, start, stop)


@kernel
def _place_sums(context, scratch, rows, buffered):
    """Where a GEMV kernel adds up a block of K: in the output itself if it is the only one."""
    args, table = scratch + w.ARGS, scratch + w.TABLES + 8 * word(context, w.MC)
    if not buffered:
        store_i64(args + 8 * emit.P_OFFSETS, table)
        store_i64(args + 8 * emit.C, 0)
        return
    pitch = w.GEMV_SUMS // rows // CACHE_LINE * CACHE_LINE + CACHE_LINE
    store_i64(args + 8 * gemv.TOTALS, pitch * rows)
    for i in range(rows):
        store_i64(scratch + w.GEMV_OFFSETS + 8 * i, pitch * i)
    store_i64(args + 8 * emit.P, scratch + word(context, w.STREAM_OFFSET))
    store_i64(args + 8 * emit.P_OFFSETS, scratch + w.GEMV_OFFSETS)
    store_i64(args + 8 * emit.C_OFFSETS, table)


@kernel
def _rows_by_rows(context, scratch, a, b, c, rows, first, end, k_first, k_end):
    """Few rows against the columns of panels first..end-1, reading rows of B from end to end."""
    args, lanes, size = scratch + w.ARGS, word(context, w.LANES), word(context, w.SIZE)
    tables, table = scratch + w.TABLES, 8 * word(context, w.MC)
    finish = word(context, w.SLICES) == 1 and (
        word(context, w.PARTIALS) != 0 or word(context, w.BIAS) != 0
        or word(context, w.POST_OPS) != 0)
    p = c
    if word(context, w.PARTIALS) != 0:
        p = tables + 3 * table
    store_i64(args + 8 * emit.B_STRIDE, word(context, w.B_K))
    store_i64(args + 8 * emit.A_OFFSETS, tables)
    blocks = _k_blocks(context, k_end - k_first)
    buffered = blocks > 1 or word(context, w.VECTOR) != 0
    _place_sums(context, scratch, rows, buffered)
    stop = min(word(context, w.N), end * word(context, w.NR))
    most = w.GEMV_SUMS // (rows * size)
    for column in range(first * word(context, w.NR), stop, most):
        columns = min(most, stop - column)
        store_i64(args + 8 * gemv.COLUMNS, columns)
        store_i64(args + 8 * emit.LANES, (columns - 1) % lanes + 1)
        if buffered:
            store_i64(args + 8 * emit.C, p + size * column)
        else:
            store_i64(args + 8 * emit.P, p + size * column)
        for block in range(blocks):
            start = k_first + balance(k_end - k_first, blocks, block)
            depth = k_first + balance(k_end - k_first, blocks, block + 1) - start
            store_i64(args + 8 * emit.A, a + word(context, w.A_K) * start)
            store_i64(args + 8 * emit.B, b + word(context, w.B_K) * start + size * column)
            set_length(args, depth, word(context, w.VECTOR))
            store_i64(args + 8 * emit.FIRST, 1 if block == 0 else 0)
            call_microkernel(word(context, w.GEMV), rows, 0, args)
    if finish:
        _finish_sums(context, scratch, rows, first, end, p, c)


@kernel
def _finish_sums(context, scratch, rows, first, end, p, c):
    """Bias and post-ops of sums that are complete: a tile that adds nothing more."""
    args = scratch + w.ARGS
    store_i64(args + 8 * emit.NSEGMENTS, 0)
    store_i64(args + 8 * emit.FIRST, 0)
    store_i64(args + 8 * emit.LAST, 1)
    _sweep(context, scratch, rows, first, end, p, 0, 0, p, p, c, word(context, w.BIAS))


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
    _product(context, scratch, a, b, packed, c, word(context, w.C_ROW), row, end_row, first, end,
             0, word(context, w.K))


@kernel
def _product(
    context, scratch, a, b, packed, c, c_row, row, end_row, first, end, k_first, k_end
):
    """Rows row..end_row-1 times panels first..end-1 over a part of K."""
    a_row, step = word(context, w.A_ROW), word(context, w.MC)
    if word(context, w.B_MODE) == w.B_GEMV:
        _rows_by_rows(context, scratch, a + a_row * row, b, c + c_row * row, end_row - row, first,
                      end, k_first, k_end)
        return
    for start in range(row, end_row, step):
        _rows_by_panels(context, scratch, a + a_row * start, b, packed, c + c_row * start,
                        min(step, end_row - start), first, end, k_first, k_end)


@kernel
def _one_slice(context, scratch, part, row, end_row, first, end):
    """The product over one slice of K, into memory of its own."""
    depth, parts = word(context, w.K), word(context, w.SLICES)
    c_row = _slice_row(context)
    c = context + word(context, w.SLICES_OFFSET) + part * word(context, w.M) * c_row
    _product(context, scratch, word(context, w.A), word(context, w.B), word(context, w.PACKED), c,
             c_row, row, end_row, first, end, balance(depth, parts, part),
             balance(depth, parts, part + 1))


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
        if word(context, w.SLICES) > 1:
            _one_slice(context, scratch, matrix, row, end_row, first, end)
        else:
            _one_matrix(context, scratch, matrix, row, end_row, first, end)
    return 0


@c_function("matmul sums of slices", TASK)
def sum_slices_task(context, ithr, nthr):
    """This task's share of the rows: the slices' products added in order, bias, post-ops."""
    scratch = context + word(context, w.TASKS_OFFSET) + ithr * word(context, w.TASK_BYTES)
    args, rows, c_row = scratch + w.ARGS, word(context, w.M), _slice_row(context)
    row, end_row = balance(rows, nthr, ithr), balance(rows, nthr, ithr + 1)
    first = context + word(context, w.SLICES_OFFSET) + c_row * row
    store_i64(args + 8 * sums.OPERATION, sums.ADD)
    store_i64(args + 8 * sums.POST_OPS, 0)
    for step in (sums.A_STEP, sums.B_STEP):
        store_i64(args + 8 * step, word(context, w.SIZE))
    store_i64(args + 8 * sums.COUNT, (end_row - row) * c_row // word(context, w.SIZE))
    store_i64(args + 8 * sums.A, first)
    store_i64(args + 8 * sums.C, first)
    for part in range(1, word(context, w.SLICES)):
        store_i64(args + 8 * sums.B, first + part * rows * c_row)
        call_microkernel(word(context, w.ROWS), sums.ARITHMETIC, 0, args)
    table = 8 * word(context, w.MC)
    for i in range(min(end_row - row, word(context, w.MC))):
        store_i64(scratch + w.TABLES + table + 8 * i, c_row * i)
        store_i64(scratch + w.TABLES + 2 * table + 8 * i, word(context, w.C_ROW) * i)
    store_i64(args + 8 * emit.POST_OPS, word(context, w.POST_OPS))
    store_i64(args + 8 * emit.POST_OP_SCALES, word(context, w.SCALES))
    _finish_sums(context, scratch, end_row - row, 0, word(context, w.PANELS), first,
                 word(context, w.C) + word(context, w.C_ROW) * row)
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
    """Decide how B is read and pack it if it must be packed beforehand. Returns a code."""
    if b.ndim == 1:
        store_i64(context + 8 * w.B_MODE, w.B_PACKED)
        store_i64(context + 8 * w.PACKED, b.ctypes.data)
        return 0
    _fill_b(context, b)
    store_i64(context + 8 * w.PACKED, context + word(context, w.PACKED_OFFSET))
    if word(context, w.B_N) != word(context, w.SIZE):
        store_i64(context + 8 * w.B_MODE, word(context, w.B_MODE_STRIDED))
    if word(context, w.B_MODE) != w.B_PACK:
        return 0
    units = word(context, w.PANELS) * word(context, w.B_MATRICES)
    return region(pool, min(word(context, w.TASKS), units), tasks[1], context)


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
    code = region(pool, word(context, w.TASKS), tasks[0], context)
    if code != 0 or word(context, w.SLICES) == 1:
        return code
    return region(pool, min(word(context, w.TASKS), word(context, w.M)), tasks[2], context)


def _pack(pool, plan, scratch, task, b, panels):
    """Pack all of B into `panels`. Returns a code."""
    context = begin(plan, scratch)
    _fill_b(context, b)
    store_i64(context + 8 * w.PACKED, panels.ctypes.data)
    units = word(context, w.PANELS) * word(context, w.B_MATRICES)
    return region(pool, min(word(context, w.TASKS), units), task, context)


@cache
def execute(a_dims: int, b_dims: int, out_dims: int, dtype: str) -> Any:
    """`_execute` compiled for operands of so many dimensions, whatever their strides."""
    signature = types.int32(
        types.int64, PLAN, SCRATCH, types.boolean, PLAN,
        *(input_array(dims, dtype) for dims in (a_dims, b_dims, 1)), output_array(out_dims, dtype),
    )
    return fixed_kernel("matmul calls", _execute, signature)


@cache
def pack(b_dims: int, dtype: str) -> Any:
    """`_pack` compiled for a B of so many dimensions."""
    signature = types.int32(types.int64, PLAN, SCRATCH, types.int64, input_array(b_dims, dtype),
                            panels_array(dtype))
    return fixed_kernel("matmul weight packing", _pack, signature)


@cache
def tasks() -> np.ndarray:
    """Addresses of the tasks: the product, packing all of B, adding slices up."""
    addresses = np.array([matmul_task(), pack_task(), sum_slices_task()], dtype=np.int64)
    addresses.flags.writeable = False
    return addresses
