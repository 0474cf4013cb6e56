"""Where Matmul's plan and context keep what: indices of int64 words.

A plan is as long as a context; the words from CALL to the batch table, and that table's strides
of A, B and C, are filled in by each execution.
"""

from __future__ import annotations

(
    # The kernels, the tiles, and the bytes of an element.
    MICROKERNEL, GEMV, ROWS, MR_TABLE, LANES, SIZE, MR, NR,
    # The problem, in elements, and its blocks. More than one slice of K: a product for each, their
    # sum afterwards; the batch is then theirs. VECTOR is 1 if A or B is a vector.
    BATCH, M, N, K, KC, MC, PANELS, SLICES, VECTOR,
    # The split; the first is over slices if there are several.
    GRID_BATCH, GRID_M, GRID_N, TASKS,
    # After the sum: op codes, the address of their scales, whether partial sums need own room.
    POST_OPS, SCALES, PARTIALS,
    # B: one of the modes below, that for columns that are not contiguous, matrices in B's own
    # batch, bytes of a full panel and of a matrix.
    B_MODE, B_MODE_STRIDED, B_MATRICES, PANEL_BYTES, MATRIX_BYTES,
    TRANSPOSE_A, TRANSPOSE_B, BATCH_DIMS,
    # Byte offsets into the scratchpad, counted from the context.
    PACKED_OFFSET, TASKS_OFFSET, TASK_BYTES, THREADS_OFFSET, STREAM_OFFSET, SLICES_OFFSET,
    CALL,
) = range(39)

(
    # Addresses and byte strides of the call. PACKED is where packed panels lie, BIAS 0 if none,
    # THREADS 0 or a slot for each task.
    A, A_ROW, A_K, B, B_K, B_N, C, C_ROW, BIAS, PACKED, THREADS,
    BATCH_TABLE,
) = range(CALL, CALL + 12)

#: How B is read: packed by the user; packed as a whole by every execution; packed by each task, a
#: block at a time, just before it is multiplied; where it lies, by tiles; where it lies, by rows.
B_PACKED, B_PACK, B_STREAM, B_IN_PLACE, B_GEMV = range(5)

#: A row of the batch table: extent, then strides in bytes of A, B and C, and in packed matrices.
BATCH_ROW = 5
EXTENT, STRIDE_A, STRIDE_B, STRIDE_C, STRIDE_PACKED = range(BATCH_ROW)


def context_words(batch_dims: int) -> int:
    """Length of a context, batch table included."""
    return BATCH_TABLE + BATCH_ROW * batch_dims


# Byte offsets inside a task's scratch: argument blocks, a segment, offsets of a GEMV kernel's rows
# of sums, three tables of MC offsets, then MC x columns partial sums and, at STREAM_OFFSET, a
# KC x NR block of B or a GEMV kernel's sums of a chain and of a block of K.
ARGS, SEGMENT, GEMV_OFFSETS, PACKING_ARGS, TABLES = 0, 256, 272, 320, 512
#: Bytes of sums that stay in the innermost cache while a GEMV kernel reads B. Rows of them have a
#: cache line between them, or they would meet in the same cache sets.
GEMV_SUMS = 16384
GEMV_ROOM = 2 * (GEMV_SUMS + 4 * 64)
