"""Where a Winograd convolution's plan and context keep what: indices of int64 words."""

from __future__ import annotations

(
    # The kernels: the GEMM's tiles, the transforms and which variant of them; `geometry` says what
    # a tile's outputs, positions and groups are, and which way tiles are counted.
    MICROKERNEL, MR_TABLE, LANES, NR, FILTER_TRANSFORM, INPUT_TRANSFORM,
    OUTPUT_TRANSFORM, VARIANT, OUTPUTS_H, OUTPUTS_W, POSITIONS_H, POSITIONS_W, TAP_GROUPS, TAPS,
    VERTICAL,
    BATCH, IH, IW, OH, OW, IC, OC, PAD_TOP, PAD_LEFT,
    # Tiles along the height and width of an image, tiles in a block, K block, panels.
    TILES_H, TILES_W, BLOCK, KC, PANELS, PANEL_BYTES,
    GRID_TILES, GRID_OC, TASKS,
    POST_OPS, SCALES, NEEDS_OUT,
    # Bytes of a tile's row of V, and between two xi of V and of the products.
    V_ROW, V_STRIDE, P_STRIDE,
    # Byte offsets into a task's scratch.
    LINES, V, PRODUCTS, PATCH, RESULTS,
    # Byte offsets into the scratchpad, counted from the context.
    PACKED_OFFSET, TASKS_OFFSET, TASK_BYTES, THREADS_OFFSET,
    CALL,
) = range(49)

(
    # Addresses and byte strides of the call, arrays in the order n, h, w, c; weights in oc, ic, kh,
    # kw. PACKED is where transformed weights lie, BIAS 0 if none, THREADS 0 or slots.
    SRC, SRC_N, SRC_H, SRC_W, SRC_C, DST, DST_N, DST_H, DST_W, DST_C,
    WEIGHTS, WEIGHTS_OC, WEIGHTS_IC, WEIGHTS_KH, WEIGHTS_KW, BIAS, PACKED, THREADS,
    LENGTH,
) = range(CALL, CALL + 19)

#: Most tiles in a block.
MAX_BLOCK = 64

# Byte offsets inside a task's scratch: the argument blocks of the GEMM, of the output transform and
# of the input transform; one segment; the addresses of an input tile; row offsets of V and of the
# products, one for each tile of a block; offsets into the output, m x m for each tile.
GEMM_ARGS, OUTPUT_ARGS, INPUT_ARGS, SEGMENT, ADDRESSES = 0, 192, 384, 448, 512
V_ROWS = ADDRESSES + 8 * 36
P_ROWS = V_ROWS + 8 * MAX_BLOCK
OUT_OFFSETS = P_ROWS + 8 * MAX_BLOCK
TILE_OFFSETS = 8 * 16
TABLES_END = OUT_OFFSETS + MAX_BLOCK * TILE_OFFSETS
