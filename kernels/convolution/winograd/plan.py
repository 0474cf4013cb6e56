"""The plan of a Winograd convolution, and the blocks its shape gives."""

from __future__ import annotations

from threadpool_iface import Decomposition
from threadpool_iface.decomposition import choose

from ...costs import machine
from ...microkernels import f32, winograd
from ...microkernels.isa import Isa
from ...post_ops import encode
from ...primitive import Split
from ...scratchpad import Scratchpads
from ...words import CACHE_LINE, mr_table, round_up, table
from ..decomposition import KC
from ..descriptor import Conv2dDescriptor
from . import layout as w

DIMS = ("tiles", "oc")

#: Bytes of a block's transformed input and products: what stays in L2 beside a panel's weights.
BLOCK_BYTES = 640 << 10
#: Floating-point operations that a byte moved by a transform is worth.
TRANSFORM_BYTES_PER_SECOND = 40e9


def _panels(d: Conv2dDescriptor, isa: Isa) -> int:
    return -(-d.oc // isa.nr)


def _tiles(d: Conv2dDescriptor, m: int) -> tuple[int, int]:
    return -(-d.oh // m), -(-d.ow // m)


def block_tiles(d: Conv2dDescriptor, isa: Isa, m: int) -> int:
    """Tiles in a block: whole rows of the microkernel's tiles, as many as fit."""
    tile_bytes = 4 * (m + 2) ** 2 * (round_up(d.ic, isa.lanes) + isa.nr)
    fit = BLOCK_BYTES // tile_bytes // isa.mr * isa.mr
    return max(isa.mr, min(fit, w.MAX_BLOCK // isa.mr * isa.mr))


def packed_floats(d: Conv2dDescriptor, isa: Isa, m: int) -> int:
    """float32 elements of all transformed weights, tail padding included."""
    return (m + 2) ** 2 * d.ic * round_up(d.oc, isa.lanes)


def weights_layout(d: Conv2dDescriptor, isa: Isa, m: int) -> tuple[object, ...]:
    """What makes packed weights interchangeable."""
    return ("conv2d", isa.name, d.dtype, d.weights_shape, f"winograd {m}")


def decompose(d: Conv2dDescriptor, isa: Isa, m: int, bound: int) -> Decomposition:
    """The split into at most `bound` tasks that the cost model predicts to end first."""
    points, panels = (m + 2) ** 2, _panels(d, isa)
    columns, block = d.oc / max(panels, 1), block_tiles(d, isa, m)
    tiles = _tiles(d, m)

    core = machine()

    def seconds(share: tuple[int, ...]) -> float:
        own, own_panels = share
        width = own_panels * columns
        flops = 2.0 * points * own * d.ic * width
        transformed = 4.0 * own * points * (2 * d.ic + width)
        weights = 4.0 * points * d.ic * width * -(-own // block)
        return (flops / core.flops_per_second + transformed / TRANSFORM_BYTES_PER_SECOND
                + weights / core.bytes_per_second)

    extent = (d.batch * tiles[0] * tiles[1], panels)
    return choose(DIMS, extent, (isa.mr, isa.nr), bound, seconds, core.region_seconds)


def _offsets(d: Conv2dDescriptor, tasks: int, isa: Isa, m: int) -> dict[int, int]:
    """Where everything lies, and under LENGTH how long a scratchpad is."""
    points, block = (m + 2) ** 2, block_tiles(d, isa, m)
    v_row = 4 * round_up(d.ic, isa.lanes)
    # Rows of one tile for all xi, a power of two apart, would meet in the same cache sets.
    v_stride = _odd_lines(block * v_row)
    p_stride = _odd_lines(block * 4 * isa.nr)
    lines = round_up(w.TABLES_END + w.TILE_OFFSETS, CACHE_LINE)
    v = lines + v_row + 4 * round_up(d.oc, isa.lanes) + CACHE_LINE
    v = round_up(v, CACHE_LINE)
    products = v + points * v_stride
    patch = products + points * p_stride
    results = patch + points * v_row
    task_bytes = round_up(results + 4 * m * m * isa.lanes, CACHE_LINE)
    threads = round_up(8 * w.LENGTH, CACHE_LINE)
    first_task = threads + round_up(8 * tasks, CACHE_LINE)
    packed = first_task + tasks * task_bytes
    return {
        w.V_ROW: v_row, w.V_STRIDE: v_stride, w.P_STRIDE: p_stride, w.LINES: lines, w.V: v,
        w.PRODUCTS: products, w.PATCH: patch, w.RESULTS: results, w.TASK_BYTES: task_bytes,
        w.THREADS_OFFSET: threads, w.TASKS_OFFSET: first_task, w.PACKED_OFFSET: packed,
        w.LENGTH: packed + 4 * packed_floats(d, isa, m) + CACHE_LINE,
    }


def _odd_lines(nbytes: int) -> int:
    lines = -(-nbytes // CACHE_LINE)
    return CACHE_LINE * (lines + 1 - lines % 2)


def make_split(d: Conv2dDescriptor, decomposition: Decomposition, isa: Isa, m: int) -> Split:
    """Everything an execution needs to know, laid out as `layout` says."""
    ops, scales = encode(d.post_ops)
    offsets = _offsets(d, decomposition.tasks, isa, m)
    nbytes = offsets.pop(w.LENGTH)
    tiles = _tiles(d, m)
    plan = table(
        {
            w.MICROKERNEL: f32.gemm_tiles(), w.FILTER_TRANSFORM: winograd.filter_transform(),
            w.INPUT_TRANSFORM: winograd.input_transform(),
            w.OUTPUT_TRANSFORM: winograd.output_transform(), w.M: m,
            w.MR_TABLE: mr_table(isa.rows), w.LANES: isa.lanes, w.NR: isa.nr,
            w.BATCH: d.batch, w.IH: d.ih, w.IW: d.iw, w.OH: d.oh, w.OW: d.ow, w.IC: d.ic,
            w.OC: d.oc, w.PAD_TOP: d.padding[0], w.PAD_LEFT: d.padding[2],
            w.TILES_H: tiles[0], w.TILES_W: tiles[1], w.BLOCK: block_tiles(d, isa, m), w.KC: KC,
            w.PANELS: _panels(d, isa), w.PANEL_BYTES: 4 * isa.nr * (m + 2) ** 2 * d.ic,
            w.GRID_TILES: decomposition.grid[0], w.GRID_OC: decomposition.grid[1],
            w.TASKS: decomposition.tasks,
            w.POST_OPS: ops, w.SCALES: scales.ctypes.data, w.NEEDS_OUT: int(d.needs_out),
            **offsets,
        },
        w.LENGTH,
    )
    return Split(decomposition, plan, Scratchpads(nbytes), offsets[w.THREADS_OFFSET], (scales,))
