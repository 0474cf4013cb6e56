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
from ..decomposition import KC, columns
from ..descriptor import Conv2dDescriptor
from . import layout as w
from .geometry import Geometry, geometry

DIMS = ("tiles", "oc")

#: Bytes of a block's transformed input and products: what stays in L2 beside a panel's weights.
BLOCK_BYTES = 640 << 10
#: Floating-point operations that a byte moved by a transform is worth.
TRANSFORM_BYTES_PER_SECOND = 40e9


def _panels(d: Conv2dDescriptor, isa: Isa) -> int:
    return -(-d.oc // isa.nr)


def _tiles(d: Conv2dDescriptor, g: Geometry) -> tuple[int, int]:
    return -(-d.oh // g.outputs[0]), -(-d.ow // g.outputs[1])


def _rows_of_v(d: Conv2dDescriptor, isa: Isa, g: Geometry) -> int:
    """Transformed tiles of a block: at the end of each line one more, if taps come in two parts."""
    block = block_tiles(d, isa, g)
    if g.groups == 1:
        return block
    along = max(1, _tiles(d, g)[0 if g.vertical else 1])
    return block + -(-block // along) + 1


def block_tiles(d: Conv2dDescriptor, isa: Isa, g: Geometry) -> int:
    """Tiles in a block: whole rows of the microkernel's tiles, as many as fit."""
    tile_bytes = 4 * g.points * (round_up(d.ic, isa.lanes) + isa.nr)
    fit = BLOCK_BYTES // tile_bytes // isa.mr * isa.mr
    return max(isa.mr, min(fit, w.MAX_BLOCK // isa.mr * isa.mr))


def packed_floats(d: Conv2dDescriptor, isa: Isa, algorithm: int) -> int:
    """float32 elements of all transformed weights, tail padding included."""
    g = geometry(d, algorithm)
    return g.points * g.groups * d.ic * round_up(d.oc, isa.lanes)


def weights_layout(d: Conv2dDescriptor, isa: Isa, algorithm: int) -> tuple[object, ...]:
    """What makes packed weights interchangeable."""
    return ("conv2d", isa.name, d.dtype, d.weights_shape, f"winograd {algorithm}")


def decompose(d: Conv2dDescriptor, isa: Isa, algorithm: int, bound: int) -> Decomposition:
    """The split into at most `bound` tasks that the cost model predicts to end first."""
    g = geometry(d, algorithm)
    points, panels = g.points, _panels(d, isa)
    block, tiles, depth = block_tiles(d, isa, g), _tiles(d, g), g.groups * d.ic

    core = machine()

    def seconds(share: tuple[int, ...]) -> float:
        own, own_panels = share
        width = columns(d, isa, own_panels)
        flops = 2.0 * points * own * depth * width
        transformed = 4.0 * own * points * (2 * d.ic + width)
        weights = 4.0 * points * depth * width * -(-own // block)
        return (flops / core.flops_per_second + transformed / TRANSFORM_BYTES_PER_SECOND
                + weights / core.bytes_per_second)

    extent = (d.batch * tiles[0] * tiles[1], panels)
    return choose(DIMS, extent, (isa.mr, isa.nr), bound, seconds, core.region_seconds)


def _offsets(d: Conv2dDescriptor, tasks: int, isa: Isa, g: Geometry) -> dict[int, int]:
    """Where everything lies, and under LENGTH how long a scratchpad is, packed weights left out."""
    points, block = g.points, block_tiles(d, isa, g)
    v_row = 4 * round_up(d.ic, isa.lanes)
    # Rows of one tile for all xi, a power of two apart, would meet in the same cache sets.
    v_stride = _odd_lines(_rows_of_v(d, isa, g) * v_row)
    p_stride = _odd_lines(block * 4 * isa.nr)
    lines = round_up(w.TABLES_END + w.TILE_OFFSETS, CACHE_LINE)
    v = lines + v_row + 4 * round_up(d.oc, isa.lanes) + CACHE_LINE
    v = round_up(v, CACHE_LINE)
    products = v + points * v_stride
    patch = products + points * p_stride
    results = patch + points * v_row
    task_bytes = round_up(results + 4 * g.outputs[0] * g.outputs[1] * isa.lanes, CACHE_LINE)
    threads = round_up(8 * w.LENGTH, CACHE_LINE)
    first_task = threads + round_up(8 * tasks, CACHE_LINE)
    packed = first_task + tasks * task_bytes
    return {
        w.V_ROW: v_row, w.V_STRIDE: v_stride, w.P_STRIDE: p_stride, w.LINES: lines, w.V: v,
        w.PRODUCTS: products, w.PATCH: patch, w.RESULTS: results, w.TASK_BYTES: task_bytes,
        w.THREADS_OFFSET: threads, w.TASKS_OFFSET: first_task, w.PACKED_OFFSET: packed,
        w.LENGTH: packed + CACHE_LINE,
    }


def _odd_lines(nbytes: int) -> int:
    lines = -(-nbytes // CACHE_LINE)
    return CACHE_LINE * (lines + 1 - lines % 2)


def make_split(
    d: Conv2dDescriptor, decomposition: Decomposition, isa: Isa, algorithm: int
) -> Split:
    """Everything an execution needs to know, laid out as `layout` says."""
    ops, scales = encode(d.post_ops)
    g = geometry(d, algorithm)
    offsets = _offsets(d, decomposition.tasks, isa, g)
    nbytes = offsets.pop(w.LENGTH) + 4 * packed_floats(d, isa, algorithm)
    tiles = _tiles(d, g)
    plan = table(
        {
            w.MICROKERNEL: f32.gemm_tiles(), w.FILTER_TRANSFORM: winograd.filter_transform(),
            w.INPUT_TRANSFORM: winograd.input_transform(),
            w.OUTPUT_TRANSFORM: winograd.output_transform(), w.VARIANT: g.variant,
            w.OUTPUTS_H: g.outputs[0], w.OUTPUTS_W: g.outputs[1],
            w.POSITIONS_H: g.positions[0], w.POSITIONS_W: g.positions[1],
            w.TAP_GROUPS: g.groups, w.TAPS: max(d.weights_shape[2:]), w.VERTICAL: int(g.vertical),
            w.MR_TABLE: mr_table(isa.rows), w.LANES: isa.lanes, w.NR: isa.nr,
            w.BATCH: d.batch, w.IH: d.ih, w.IW: d.iw, w.OH: d.oh, w.OW: d.ow, w.IC: d.ic,
            w.OC: d.oc, w.PAD_TOP: d.padding[0], w.PAD_LEFT: d.padding[2],
            w.TILES_H: tiles[0], w.TILES_W: tiles[1], w.BLOCK: block_tiles(d, isa, g), w.KC: KC,
            w.PANELS: _panels(d, isa), w.PANEL_BYTES: 4 * isa.nr * g.points * g.groups * d.ic,
            w.GRID_TILES: decomposition.grid[0], w.GRID_OC: decomposition.grid[1],
            w.TASKS: decomposition.tasks,
            w.POST_OPS: ops, w.SCALES: scales.ctypes.data, w.NEEDS_OUT: int(d.needs_out),
            **offsets,
        },
        w.LENGTH,
    )
    return Split(decomposition, plan, Scratchpads(nbytes), offsets[w.THREADS_OFFSET], (scales,))
