"""Where a Pool2d's plan and context keep what: indices of int64 words."""

from __future__ import annotations

(
    KERNEL, MODE, LANES, BATCH, IH, IW, OH, OW, CHANNELS,
    KH, KW, STRIDE_H, STRIDE_W, PAD_TOP, PAD_LEFT,
    DIVISOR,  # 0: the taps inside the image
    GRID_BATCH, GRID_OH, TASKS,
    # Byte offsets into the scratchpad, counted from the context.
    TASKS_OFFSET, TASK_BYTES, THREADS_OFFSET,
    CALL,
) = range(23)

(
    # Addresses and byte strides of the call, arrays in the order n, h, w, c; THREADS 0 or slots.
    SRC, SRC_N, SRC_H, SRC_W, SRC_C, DST, DST_N, DST_H, DST_W, DST_C, THREADS,
    LENGTH,
) = range(CALL, CALL + 12)

# Byte offsets inside a task's scratch: the argument block, one value, then the window's addresses.
ARGS, VALUE, TABLE = 0, 64, 128
