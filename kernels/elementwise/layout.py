"""Where an element-wise primitive's plan and context keep what: indices of int64 words."""

from __future__ import annotations

#: The most dimensions an operand may have.
MAX_DIMS = 8
#: Operands of a context: a, b, d (see `microkernels.rows`) and the output.
A, B, D, OUT = range(4)
OPERANDS = 4

(
    # GATHERS is 0 for rows too long to be gathered, OTHERS the operands beside a that may be.
    KERNEL, WHAT, OPERATION, POST_OPS, SCALES, SUM, LANES, DIMS, INNER, LONGEST, GROUP,
    GATHERS, OTHERS,
    TASKS, TASKS_OFFSET, TASK_BYTES, THREADS_OFFSET,
    SHAPE,
) = range(18)

#: Words of the call: addresses, then one row of an axis table for each dimension: its extent and
#: the four operands' byte strides. The rows are sorted and merged in place; AXES says how many are
#: left.
CALL = SHAPE + MAX_DIMS
THREADS, AXES, CHUNK, CHUNKS, GROUPS, UNITS, ADDRESS = range(CALL, CALL + 7)
TABLE = ADDRESS + OPERANDS
ROW = 1 + OPERANDS
#: A row behind the table's, for the axis that must be innermost.
SAVED = MAX_DIMS
LENGTH = TABLE + ROW * (MAX_DIMS + 1)

# Byte offsets inside a task's scratch: the argument block, then room for gathered operands.
ARGS, ROOM = 0, 192
