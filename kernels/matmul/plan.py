"""The plan of a Matmul: its descriptor and split as the table of words that tasks read."""

from __future__ import annotations

from math import prod

from threadpool_iface import Decomposition

from ..microkernels import f32, f64, gemv
from ..microkernels.isa import Isa
from ..post_ops import encode
from ..primitive import Split
from ..scratchpad import Scratchpads
from ..words import CACHE_LINE, mr_table, round_up, table
from . import layout as w
from .decomposition import IN_PLACE_ROWS, KC, block_rows, slices
from .descriptor import MatmulDescriptor


def panel_bytes(d: MatmulDescriptor, isa: Isa) -> int:
    """Bytes of a full panel."""
    return isa.size * isa.nr * d.k


def matrix_bytes(d: MatmulDescriptor, isa: Isa) -> int:
    """Bytes of one packed matrix: full panels, then one as wide as the vectors it needs."""
    return isa.size * d.k * round_up(d.n, isa.lanes)


def _partial_sums(d: MatmulDescriptor, deep: int) -> bool:
    """Whether sums may not wait for more of K in C, because a post-op has still to read that."""
    return d.needs_out and deep == 1 and (d.k > KC or d.m <= gemv.MAX_ROWS)


def _modes(d: MatmulDescriptor, decomposition: Decomposition, isa: Isa) -> tuple[int, int]:
    """How to read a B with contiguous columns, and another one."""
    # A task that has all the rows reads its part of B once: it need not be packed for others.
    once = d.m <= block_rows(isa) and decomposition.grid[1] == 1
    strided = w.B_STREAM if once else w.B_PACK
    if d.m <= gemv.MAX_ROWS:
        return w.B_GEMV, strided
    return w.B_IN_PLACE if d.m <= IN_PLACE_ROWS else strided, strided


def make_split(d: MatmulDescriptor, decomposition: Decomposition, isa: Isa) -> Split:
    """Everything an execution needs to know, laid out as `layout` says."""
    tasks, deep = decomposition.tasks, slices(d, isa)
    ops, scales = encode(d.post_ops, d.dtype)
    unit = f64 if isa.element == "f64" else f32
    most_rows = min(block_rows(isa), round_up(max(d.m, 1), isa.mr))
    panels = -(-d.n // isa.nr)
    mode, strided_mode = _modes(d, decomposition, isa)
    dims = len(d.batch)
    threads_offset = round_up(8 * w.context_words(dims), CACHE_LINE)
    tasks_offset = threads_offset + round_up(8 * tasks, CACHE_LINE)
    stream_offset = w.TABLES + 3 * 8 * most_rows
    if _partial_sums(d, deep):
        stream_offset += isa.size * most_rows * panels * isa.nr
    stream_offset = round_up(stream_offset, CACHE_LINE)
    task_bytes = stream_offset
    if mode != w.B_PACK or strided_mode != w.B_PACK:
        task_bytes += isa.size * isa.nr * min(KC, d.k)
    if mode == w.B_GEMV:
        task_bytes = max(task_bytes, stream_offset + w.GEMV_ROOM)
    slices_offset = tasks_offset + tasks * task_bytes
    packed_offset = slices_offset
    if deep > 1:
        packed_offset += round_up(deep * d.m * round_up(d.n, isa.lanes) * isa.size, CACHE_LINE)
    plan = table(
        {
            w.MICROKERNEL: unit.gemm_tiles(), w.GEMV: unit.gemv_rows(),
            w.ROWS: unit.row_kernels(), w.MR_TABLE: mr_table(isa.rows), w.LANES: isa.lanes,
            w.SIZE: isa.size, w.MR: isa.mr, w.NR: isa.nr,
            w.BATCH: prod(d.batch) * deep, w.M: d.m, w.N: d.n, w.K: d.k, w.SLICES: deep,
            w.VECTOR: int(1 in (d.m, d.n)),
            w.KC: KC, w.MC: most_rows, w.PANELS: panels,
            w.GRID_BATCH: decomposition.grid[0], w.GRID_M: decomposition.grid[1],
            w.GRID_N: decomposition.grid[2], w.TASKS: tasks,
            w.POST_OPS: ops, w.SCALES: scales.ctypes.data, w.PARTIALS: int(_partial_sums(d, deep)),
            w.B_MODE: mode, w.B_MODE_STRIDED: strided_mode, w.B_MATRICES: d.b_matrices,
            w.PANEL_BYTES: panel_bytes(d, isa), w.MATRIX_BYTES: matrix_bytes(d, isa),
            w.TRANSPOSE_A: int(d.transpose_a), w.TRANSPOSE_B: int(d.transpose_b),
            w.BATCH_DIMS: dims, w.PACKED_OFFSET: packed_offset,
            w.TASKS_OFFSET: tasks_offset, w.TASK_BYTES: task_bytes,
            w.THREADS_OFFSET: threads_offset, w.STREAM_OFFSET: stream_offset,
            w.SLICES_OFFSET: slices_offset,
            **_batch_table(d),
        },
        w.context_words(dims),
    )
    packs = w.B_PACK in (mode, strided_mode)
    packed = d.b_matrices * matrix_bytes(d, isa) if packs else 0
    pads = Scratchpads(packed_offset + packed + CACHE_LINE)
    return Split(decomposition, plan, pads, threads_offset, (scales,))


def _batch_table(d: MatmulDescriptor) -> dict[int, int]:
    """Extents of the batch, and how many packed matrices a step along each dimension skips."""
    words: dict[int, int] = {}
    own = (1,) * (len(d.batch) - len(d.b_shape) + 2) + d.b_shape[:-2]
    stride = 1
    for i in range(len(d.batch) - 1, -1, -1):
        entry = w.BATCH_TABLE + w.BATCH_ROW * i
        words[entry + w.EXTENT] = d.batch[i]
        words[entry + w.STRIDE_PACKED] = stride if own[i] > 1 else 0
        stride *= own[i]
    return words


def weights_layout(d: MatmulDescriptor, isa: Isa) -> tuple[object, ...]:
    """What makes packed weights interchangeable."""
    return ("matmul", isa.name, d.dtype, d.b_shape, "transposed" * d.transpose_b or "plain")


def packed_elements(d: MatmulDescriptor, isa: Isa) -> int:
    """Elements of all packed matrices, tail padding included."""
    return d.b_matrices * matrix_bytes(d, isa) // isa.size
