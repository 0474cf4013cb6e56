"""The nopython side of Pool2d: an output pixel is a reduction over the addresses of its window."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numba import types

from ..compiling import c_function, fixed_kernel, kernel
from ..microkernels import reduction
from ..microkernels.memory import call_microkernel, load_f32, load_i64, store_f32, store_i64
from ..panels import balance
from ..words import (
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


@kernel
def _fill_table(context, scratch, image, y, x):
    """Addresses of the taps of output (y, x) that are inside the image; returns how many."""
    top = y * word(context, w.STRIDE_H) - word(context, w.PAD_TOP)
    left = x * word(context, w.STRIDE_W) - word(context, w.PAD_LEFT)
    count = 0
    for i in range(max(top, 0), min(top + word(context, w.KH), word(context, w.IH))):
        row = image + i * word(context, w.SRC_H)
        for j in range(max(left, 0), min(left + word(context, w.KW), word(context, w.IW))):
            store_i64(scratch + w.TABLE + 8 * count, row + j * word(context, w.SRC_W))
            count += 1
    return count


@kernel
def _strided_channels(context, scratch, count, target):
    """Channel by channel, where neither input nor output may have them side by side."""
    args, by_c = scratch + w.ARGS, word(context, w.SRC_C)
    store_i64(args + 8 * reduction.VECTORS, 0)
    store_i64(args + 8 * reduction.TAIL, 1)
    store_i64(args + 8 * reduction.TARGET, scratch + w.VALUE)
    for c in range(word(context, w.CHANNELS)):
        call_microkernel(word(context, w.KERNEL), word(context, w.MODE), 0, args)
        store_f32(target + c * word(context, w.DST_C), load_f32(scratch + w.VALUE))
        for i in range(count):
            entry = scratch + w.TABLE + 8 * i
            store_i64(entry, load_i64(entry) + by_c)


@kernel
def _pixel(context, scratch, image, target, y, x):
    args = scratch + w.ARGS
    count = _fill_table(context, scratch, image, y, x)
    divisor = word(context, w.DIVISOR)
    store_i64(args + 8 * reduction.COUNT, count)
    store_i64(args + 8 * reduction.DIVISOR, count if divisor == 0 else divisor)
    if word(context, w.SRC_C) == 4 and word(context, w.DST_C) == 4:
        store_i64(args + 8 * reduction.TARGET, target)
        call_microkernel(word(context, w.KERNEL), word(context, w.MODE), 0, args)
    else:
        _strided_channels(context, scratch, count, target)


@c_function("pooling", TASK)
def pooling_task(context, ithr, nthr):
    """Task `ithr` of the grid batch x oh, oh fastest."""
    scratch = context + word(context, w.TASKS_OFFSET) + ithr * word(context, w.TASK_BYTES)
    note_thread(word(context, w.THREADS), ithr)
    args, lanes, channels = scratch + w.ARGS, word(context, w.LANES), word(context, w.CHANNELS)
    store_i64(args + 8 * reduction.TABLE, scratch + w.TABLE)
    store_i64(args + 8 * reduction.VECTORS, channels // lanes)
    store_i64(args + 8 * reduction.TAIL, channels % lanes)
    grid_batch, grid_oh = word(context, w.GRID_BATCH), word(context, w.GRID_OH)
    part, part_oh = ithr // grid_oh, ithr % grid_oh
    batch, out_h = word(context, w.BATCH), word(context, w.OH)
    for n in range(balance(batch, grid_batch, part), balance(batch, grid_batch, part + 1)):
        image = word(context, w.SRC) + n * word(context, w.SRC_N)
        for y in range(balance(out_h, grid_oh, part_oh), balance(out_h, grid_oh, part_oh + 1)):
            target = word(context, w.DST) + n * word(context, w.DST_N) + y * word(context, w.DST_H)
            for x in range(word(context, w.OW)):
                _pixel(context, scratch, image, target + x * word(context, w.DST_W), y, x)
    return 0


def _execute(pool, plan, scratch, verbose, tasks, src, dst):
    """Run one pooling; arrays come with their axes in the order n, h, w, c. Returns a code."""
    context = begin(plan, scratch)
    store_i64(context + 8 * w.SRC, src.ctypes.data)
    store_i64(context + 8 * w.DST, dst.ctypes.data)
    for i in range(4):
        store_i64(context + 8 * (w.SRC_N + i), src.strides[i])
        store_i64(context + 8 * (w.DST_N + i), dst.strides[i])
    if verbose:
        store_i64(context + 8 * w.THREADS, context + word(context, w.THREADS_OFFSET))
    return region(pool, word(context, w.TASKS), tasks[0], context)


@cache
def execute() -> Any:
    """`_execute`, compiled."""
    signature = types.int32(types.int64, PLAN, SCRATCH, types.boolean, PLAN, input_array(4),
                            output_array(4))
    return fixed_kernel("pooling calls", _execute, signature)


@cache
def tasks() -> np.ndarray:
    """The address of the task."""
    addresses = np.array([pooling_task()], dtype=np.int64)
    addresses.flags.writeable = False
    return addresses
