"""Where Conv2d's plan and context keep what: indices of int64 words.

A plan is as long as a context; the words from CALL on are filled in by each execution.
"""

from __future__ import annotations

(
    # The kernels and the tiles; DEPTHWISE is 1 when one input channel makes one output channel.
    MICROKERNEL, ROWS, MR_TABLE, LANES, NR, DEPTHWISE,
    # The problem. IC and OC are those of one group (for depthwise: 1 and all channels).
    BATCH, IH, IW, CHANNELS, OH, OW, GROUPS, IC, OC,
    KH, KW, STRIDE_H, STRIDE_W, DILATION_H, DILATION_W, PAD_TOP, PAD_LEFT,
    # Blocks and panels: KC, pixels in a block, panels and packed bytes of a group; BY_TAPS is 1 for
    # images that are computed tap by tap, VECTOR 1 if weights are a vector.
    KC, PIXELS, GROUP_PANELS, PANEL_BYTES, GROUP_BYTES, BY_TAPS, VECTOR,
    # The split.
    GRID_BATCH, GRID_OH, GRID_OC, TASKS,
    POST_OPS, SCALES, NEEDS_OUT,
    # Byte offsets into the scratchpad, counted from the context.
    PACKED_OFFSET, NHWC_OFFSET, TASKS_OFFSET, TASK_BYTES, THREADS_OFFSET,
    CALL,
) = range(43)

(
    # Addresses and byte strides of the call, each array in its own order n, h, w, c; weights in
    # oc, ic, kh, kw. PACKED is where packed panels lie, BIAS 0 if none, THREADS 0 or slots.
    SRC, SRC_N, SRC_H, SRC_W, SRC_C, DST, DST_N, DST_H, DST_W, DST_C,
    WEIGHTS, WEIGHTS_OC, WEIGHTS_IC, WEIGHTS_KH, WEIGHTS_KW, BIAS, PACKED, THREADS,
    # 1 when the taps of a kernel row and their channels are one run of memory.
    MERGED,
    LENGTH,
) = range(CALL, CALL + 20)

#: Most segments a K block may have; runs of one element would otherwise ask for KC of them.
MAX_SEGMENTS = 256

# Byte offsets inside a task's scratch: argument block, segments, then four tables of PIXELS
# offsets (input, partial sums, results, output), then the tiles of one block and panel: results,
# and partial sums.
ARGS, SEGMENTS, TABLES = 0, 256, 256 + 16 * MAX_SEGMENTS
