"""The nopython side of element-wise primitives: any strides, contiguous rows for the kernels.

The output's axes are sorted by its strides and merged where every operand allows, so that NCHW,
NHWC and slices of them all become few axes with a long innermost one. A row of that axis, or a
chunk of it, is what a kernel is called for. Operands whose elements do not lie side by side along
it are gathered into the task's scratch first; if another axis of `a` is contiguous, as in a
transposition, several rows are gathered at once by a transposing kernel.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numba import types

from ..compiling import c_function, fixed_kernel, kernel
from ..microkernels import rows
from ..microkernels.memory import call_microkernel, load_f32, store_f32, store_i64
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

#: Elements of a chunk. Long enough to hide a unit's start, short enough to share rows out evenly.
CHUNK = 1024
#: When rows are gathered in groups: so that a group stays in the innermost cache.
GROUPED_CHUNK = 256


@kernel
def _at(context, axis, entry):
    """An entry of the axis table: 0 the extent, 1 + operand its stride."""
    return word(context, w.TABLE + w.ROW * axis + entry)


@kernel
def _swap(context, i, j):
    for entry in range(w.ROW):
        x, y = _at(context, i, entry), _at(context, j, entry)
        store_i64(context + 8 * (w.TABLE + w.ROW * i + entry), y)
        store_i64(context + 8 * (w.TABLE + w.ROW * j + entry), x)


@kernel
def _copy_axis(context, source, target):
    for entry in range(w.ROW):
        store_i64(context + 8 * (w.TABLE + w.ROW * target + entry), _at(context, source, entry))


@kernel
def _list_axes(context):
    """Drop axes of one position, and put the forced innermost one by; returns how many are left."""
    dims, inner = word(context, w.DIMS), word(context, w.INNER)
    if inner >= 0:
        _copy_axis(context, inner, w.SAVED)
    axes = 0
    for d in range(dims):
        if d != inner and _at(context, d, 0) != 1:
            _copy_axis(context, d, axes)
            axes += 1
    return axes


@kernel
def _sort(context, axes):
    """By the output's strides, the largest first; of equals, by a's."""
    for i in range(1, axes):
        j = i
        while j > 0:
            before, here = abs(_at(context, j - 1, 1 + w.OUT)), abs(_at(context, j, 1 + w.OUT))
            if before > here or (before == here and abs(_at(context, j - 1, 1 + w.A))
                                 >= abs(_at(context, j, 1 + w.A))):
                break
            _swap(context, j - 1, j)
            j -= 1


@kernel
def _merge(context, axes):
    """Join neighbours that every operand walks through in one step; returns how many are left."""
    if axes == 0:
        return 0
    kept = 0
    for axis in range(1, axes):
        extent = _at(context, axis, 0)
        joined = True
        for operand in range(w.OPERANDS):
            joined = joined and _at(context, kept, 1 + operand) == extent * _at(
                context, axis, 1 + operand)
        if joined:
            extent *= _at(context, kept, 0)
            _copy_axis(context, axis, kept)
            store_i64(context + 8 * (w.TABLE + w.ROW * kept), extent)
        else:
            kept += 1
            _copy_axis(context, axis, kept)
    return kept + 1


@kernel
def _normalise(context):
    """Turn the axis table into what `_unit` walks: outer axes, group axis if any, inner axis."""
    axes = _merge_outer(context)
    inner = axes - 1
    group = -1
    if (word(context, w.GROUP) > 1 and _at(context, inner, 1 + w.A) != 4
            and _at(context, inner, 1 + w.A) != 0):
        for axis in range(inner):
            if _at(context, axis, 1 + w.A) == 4:
                group = axis
    if group >= 0:
        while group < inner - 1:
            _swap(context, group, group + 1)
            group += 1
        lanes = word(context, w.GROUP)
        store_i64(context + 8 * w.GROUPS, (_at(context, group, 0) + lanes - 1) // lanes)
    else:
        store_i64(context + 8 * w.GROUPS, 0)
    store_i64(context + 8 * w.AXES, axes)
    _cut(context, inner, group)


@kernel
def _merge_outer(context):
    """Sort and merge; the number of axes, the innermost last."""
    axes = _list_axes(context)
    _sort(context, axes)
    axes = _merge(context, axes)
    if word(context, w.INNER) >= 0:
        _copy_axis(context, w.SAVED, axes)
        return axes + 1
    if axes == 0:  # a single element
        for entry in range(w.ROW):
            store_i64(context + 8 * (w.TABLE + entry), 4 if entry else 1)
        return 1
    return axes


@kernel
def _cut(context, inner, group):
    length = _at(context, inner, 0)
    chunk = min(word(context, w.LONGEST), length)
    if group >= 0 and word(context, w.INNER) < 0:
        chunk = min(chunk, GROUPED_CHUNK)
    chunk = max(1, chunk)
    chunks = (length + chunk - 1) // chunk
    units = chunks
    for axis in range(inner):
        units *= word(context, w.GROUPS) if axis == group else _at(context, axis, 0)
    store_i64(context + 8 * w.CHUNK, chunk)
    store_i64(context + 8 * w.CHUNKS, chunks)
    store_i64(context + 8 * w.UNITS, units)


@kernel
def _gather(source, stride, target, count):
    for i in range(count):
        store_f32(target + 4 * i, load_f32(source + stride * i))


@kernel
def _gather_group(context, args, source, stride, target, pitch, count, height):
    """`height` rows of `count` elements; the rows' first elements lie side by side."""
    lanes, tiles = word(context, w.GROUP), 0
    if height == lanes:
        tiles = count // lanes
        store_i64(args + 8 * rows.A, source)
        store_i64(args + 8 * rows.A_STEP, stride)
        store_i64(args + 8 * rows.C, target)
        store_i64(args + 8 * rows.B_STEP, pitch)
        store_i64(args + 8 * rows.COUNT, tiles)
        call_microkernel(word(context, w.KERNEL), rows.TRANSPOSE, 0, args)
    for i in range(tiles * lanes, count):
        for j in range(height):
            store_f32(target + pitch * j + 4 * i, load_f32(source + stride * i + 4 * j))


@kernel
def _operand(args, base, step_word, address, stride, count, room):
    """Give the kernel an operand: where it lies, or gathered into `room`."""
    if stride != 4 and stride != 0:
        _gather(address, stride, room, count)
        address, stride = room, 4
    store_i64(args + 8 * base, address)
    store_i64(args + 8 * step_word, stride)


@kernel
def _row(context, scratch, a, a_step, b, d, c, count):
    """One call of the kernel."""
    args, inner = scratch + w.ARGS, word(context, w.AXES) - 1
    chunk = word(context, w.CHUNK)
    room = scratch + w.ROOM + 4 * chunk * word(context, w.GROUP)
    _operand(args, rows.B, rows.B_STEP, b, _at(context, inner, 1 + w.B), count, room)
    _operand(args, rows.D, rows.D_STEP, d, _at(context, inner, 1 + w.D), count, room + 4 * chunk)
    if a_step == 0 and word(context, w.WHAT) == rows.SOFTMAX:  # which reads every element
        _gather(a, 0, scratch + w.ROOM, count)
        a, a_step = scratch + w.ROOM, 4
    _operand(args, rows.A, rows.A_STEP, a, a_step, count, scratch + w.ROOM)
    out_stride = _at(context, inner, 1 + w.OUT)
    target = c
    if out_stride != 4:
        target = room + 4 * chunk * word(context, w.OTHERS)
        if word(context, w.SUM) != 0:
            _gather(c, out_stride, target, count)
    store_i64(args + 8 * rows.C, target)
    store_i64(args + 8 * rows.COUNT, count)
    call_microkernel(word(context, w.KERNEL), word(context, w.WHAT), 0, args)
    if out_stride != 4:
        for i in range(count):
            store_f32(c + out_stride * i, load_f32(target + 4 * i))


@kernel
def _softmax_columns(context, args, a, c, count, height):
    """Softmax of `height` rows that lie side by side."""
    inner = word(context, w.AXES) - 1
    store_i64(args + 8 * rows.A, a)
    store_i64(args + 8 * rows.A_STEP, _at(context, inner, 1 + w.A))
    store_i64(args + 8 * rows.C, c)
    store_i64(args + 8 * rows.B_STEP, _at(context, inner, 1 + w.OUT))
    store_i64(args + 8 * rows.COUNT, count)
    store_i64(args + 8 * rows.LANES, height)
    call_microkernel(word(context, w.KERNEL), rows.COLUMNS, 0, args)


@kernel
def _is_too_long(context, inner):
    """Whether rows should be gathered and may not; only those of a softmax are so long."""
    contiguous = _at(context, inner, 1 + w.A) == 4 and _at(context, inner, 1 + w.OUT) == 4
    return word(context, w.GATHERS) == 0 and not contiguous


@kernel
def _unit(context, scratch, unit):
    """Chunk `unit` of the whole: the last chunk of a row fastest, then groups, then outer axes."""
    inner, chunk = word(context, w.AXES) - 1, word(context, w.CHUNK)
    groups, lanes = word(context, w.GROUPS), word(context, w.GROUP)
    rest, start = unit // word(context, w.CHUNKS), unit % word(context, w.CHUNKS) * chunk
    count = min(chunk, _at(context, inner, 0) - start)
    a = word(context, w.ADDRESS + w.A) + start * _at(context, inner, 1 + w.A)
    b = word(context, w.ADDRESS + w.B) + start * _at(context, inner, 1 + w.B)
    d = word(context, w.ADDRESS + w.D) + start * _at(context, inner, 1 + w.D)
    c = word(context, w.ADDRESS + w.OUT) + start * _at(context, inner, 1 + w.OUT)
    axis, height = inner - 1, 1
    if groups > 0:
        first = rest % groups * lanes
        rest //= groups
        height = min(lanes, _at(context, axis, 0) - first)
        a += first * _at(context, axis, 1 + w.A)
        b += first * _at(context, axis, 1 + w.B)
        d += first * _at(context, axis, 1 + w.D)
        c += first * _at(context, axis, 1 + w.OUT)
        axis -= 1
    while axis >= 0:
        extent = _at(context, axis, 0)
        i = rest % extent
        rest //= extent
        a += i * _at(context, axis, 1 + w.A)
        b += i * _at(context, axis, 1 + w.B)
        d += i * _at(context, axis, 1 + w.D)
        c += i * _at(context, axis, 1 + w.OUT)
        axis -= 1
    if groups == 0 and _is_too_long(context, inner):
        _softmax_columns(context, scratch + w.ARGS, a, c, count, 1)
        return
    if groups == 0:
        _row(context, scratch, a, _at(context, inner, 1 + w.A), b, d, c, count)
        return
    if word(context, w.WHAT) == rows.SOFTMAX and _at(context, inner - 1, 1 + w.OUT) == 4:
        _softmax_columns(context, scratch + w.ARGS, a, c, count, height)
        return
    room, pitch = scratch + w.ROOM, 4 * chunk
    _gather_group(context, scratch + w.ARGS, a, _at(context, inner, 1 + w.A), room, pitch, count,
                  height)
    _fill_args(context, scratch)
    axis = inner - 1
    for j in range(height):
        _row(context, scratch, room + pitch * j, 4, b + j * _at(context, axis, 1 + w.B),
             d + j * _at(context, axis, 1 + w.D), c + j * _at(context, axis, 1 + w.OUT), count)


@kernel
def _fill_args(context, scratch):
    args = scratch + w.ARGS
    store_i64(args + 8 * rows.OPERATION, word(context, w.OPERATION))
    store_i64(args + 8 * rows.POST_OPS, word(context, w.POST_OPS))
    store_i64(args + 8 * rows.POST_OP_SCALES, word(context, w.SCALES))


@c_function("element-wise", TASK)
def elementwise_task(context, ithr, nthr):
    """Task `ithr`: an even share of the units."""
    scratch = context + word(context, w.TASKS_OFFSET) + ithr * word(context, w.TASK_BYTES)
    note_thread(word(context, w.THREADS), ithr)
    _fill_args(context, scratch)
    units = word(context, w.UNITS)
    for unit in range(balance(units, nthr, ithr), balance(units, nthr, ithr + 1)):
        _unit(context, scratch, unit)
    return 0


@kernel
def _list_operand(context, operand, array):
    """Its address and strides; 0 along dimensions it does not have or is broadcast along."""
    store_i64(context + 8 * (w.ADDRESS + operand), array.ctypes.data)
    dims = word(context, w.DIMS)
    for d in range(dims):
        i = d - dims + array.ndim
        split = i >= 0 and array.shape[i] > 1
        entry = w.TABLE + w.ROW * d + 1 + operand
        store_i64(context + 8 * entry, array.strides[i] if split else 0)


def _execute(pool, plan, scratch, verbose, tasks, a, b, d, out):
    """One execution; an operand of size 0 is absent. Returns a code."""
    context = begin(plan, scratch)
    _list_operand(context, w.A, a)
    _list_operand(context, w.B, b)
    _list_operand(context, w.D, d)
    _list_operand(context, w.OUT, out)
    for i in range(word(context, w.DIMS)):
        store_i64(context + 8 * (w.TABLE + w.ROW * i), word(context, w.SHAPE + i))
    _normalise(context)
    if verbose:
        store_i64(context + 8 * w.THREADS, context + word(context, w.THREADS_OFFSET))
    ntasks = max(1, min(word(context, w.TASKS), word(context, w.UNITS)))
    return region(pool, ntasks, tasks[0], context)


@cache
def execute(a_dims: int, b_dims: int, d_dims: int, out_dims: int) -> Any:
    """`_execute` compiled for operands of so many dimensions, whatever their strides."""
    arrays = (*(input_array(n) for n in (a_dims, b_dims, d_dims)), output_array(out_dims))
    signature = types.int32(types.int64, PLAN, SCRATCH, types.boolean, PLAN, *arrays)
    return fixed_kernel("element-wise calls", _execute, signature)


@cache
def tasks() -> np.ndarray:
    """The address of the task."""
    addresses = np.array([elementwise_task()], dtype=np.int64)
    addresses.flags.writeable = False
    return addresses
