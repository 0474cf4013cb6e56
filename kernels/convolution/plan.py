"""The plan of a Conv2d: its descriptor and split as the table of words that tasks read."""

from __future__ import annotations

from threadpool_iface import Decomposition

from ..microkernels import f32
from ..microkernels.isa import Isa
from ..post_ops import encode
from ..primitive import Split
from ..scratchpad import Scratchpads
from ..words import CACHE_LINE, mr_table, round_up, table
from . import layout as w
from .decomposition import PIXELS, block_depth, by_taps, group_panels
from .descriptor import Conv2dDescriptor


def _group(d: Conv2dDescriptor) -> tuple[int, int, int]:
    """Groups, input and output channels of one; a depthwise convolution is one group."""
    if d.depthwise:
        return 1, 1, d.oc
    return d.groups, d.weights_shape[1], d.oc // d.groups


def _depth(d: Conv2dDescriptor) -> int:
    return d.weights_shape[1] * d.weights_shape[2] * d.weights_shape[3]


def group_bytes(d: Conv2dDescriptor, isa: Isa) -> int:
    """Bytes of one packed group: full panels, then one as wide as the vectors it needs."""
    return 4 * _depth(d) * round_up(_group(d)[2], isa.lanes)


def packed_floats(d: Conv2dDescriptor, isa: Isa) -> int:
    """float32 elements of all packed groups, tail padding included."""
    return _group(d)[0] * group_bytes(d, isa) // 4


def weights_layout(d: Conv2dDescriptor, isa: Isa) -> tuple[object, ...]:
    """What makes packed weights interchangeable."""
    return ("conv2d", isa.name, d.dtype, d.weights_shape, f"groups {d.groups}")


def _offsets(d: Conv2dDescriptor, tasks: int, isa: Isa) -> dict[int, int]:
    """Where the parts of a scratchpad lie, and under LENGTH how long it is."""
    threads = round_up(8 * w.LENGTH, CACHE_LINE)
    first_task = threads + round_up(8 * tasks, CACHE_LINE)
    task_bytes = round_up(w.TABLES + 32 * PIXELS + 2 * 4 * isa.nr * PIXELS, CACHE_LINE)
    packed = first_task + tasks * task_bytes
    nhwc = packed + round_up(4 * packed_floats(d, isa), CACHE_LINE)
    nhwc_bytes = 4 * d.batch * d.ih * d.iw * d.ic if d.depthwise else 0
    return {
        w.THREADS_OFFSET: threads, w.TASKS_OFFSET: first_task, w.TASK_BYTES: task_bytes,
        w.PACKED_OFFSET: packed, w.NHWC_OFFSET: nhwc, w.LENGTH: nhwc + nhwc_bytes + CACHE_LINE,
    }


def make_split(d: Conv2dDescriptor, decomposition: Decomposition, isa: Isa) -> Split:
    """Everything an execution needs to know, laid out as `layout` says."""
    ops, scales = encode(d.post_ops)
    groups, ic, oc = _group(d)
    offsets = _offsets(d, decomposition.tasks, isa)
    nbytes = offsets.pop(w.LENGTH)
    plan = table(
        {
            w.MICROKERNEL: f32.depthwise_tiles() if d.depthwise else f32.gemm_tiles(),
            w.ROWS: f32.row_kernels(), w.MR_TABLE: mr_table(isa.rows), w.LANES: isa.lanes,
            w.NR: isa.nr,
            w.DEPTHWISE: int(d.depthwise),
            w.BATCH: d.batch, w.IH: d.ih, w.IW: d.iw, w.CHANNELS: d.ic, w.OH: d.oh, w.OW: d.ow,
            w.GROUPS: groups, w.IC: ic, w.OC: oc,
            w.KH: d.weights_shape[2], w.KW: d.weights_shape[3],
            w.STRIDE_H: d.stride[0], w.STRIDE_W: d.stride[1],
            w.DILATION_H: d.dilation[0], w.DILATION_W: d.dilation[1],
            w.PAD_TOP: d.padding[0], w.PAD_LEFT: d.padding[2],
            w.KC: block_depth(d), w.PIXELS: PIXELS, w.GROUP_PANELS: group_panels(d, isa),
            w.PANEL_BYTES: 4 * isa.nr * _depth(d), w.GROUP_BYTES: group_bytes(d, isa),
            w.BY_TAPS: int(by_taps(d)), w.VECTOR: int(oc == 1 and not d.depthwise),
            w.GRID_BATCH: decomposition.grid[0], w.GRID_OH: decomposition.grid[1],
            w.GRID_OC: decomposition.grid[2], w.TASKS: decomposition.tasks,
            w.POST_OPS: ops, w.SCALES: scales.ctypes.data, w.NEEDS_OUT: int(d.needs_out),
            **offsets,
        },
        w.LENGTH,
    )
    return Split(decomposition, plan, Scratchpads(nbytes), offsets[w.THREADS_OFFSET], (scales,))
