"""How a Pool2d is split, and its plan."""

from __future__ import annotations

from threadpool_iface import Decomposition
from threadpool_iface.decomposition import choose

from ..costs import machine
from ..microkernels import reduction
from ..microkernels.isa import Isa
from ..primitive import Split
from ..scratchpad import Scratchpads
from ..words import CACHE_LINE, round_up, table
from . import layout as w
from .descriptor import Pool2dDescriptor

DIMS = ("batch", "oh")

#: Reading a tap that another window has read already is a load from cache.
CACHED_BYTES_PER_SECOND = 100e9


def decompose(d: Pool2dDescriptor, bound: int) -> Decomposition:
    """The split into at most `bound` tasks that the cost model predicts to end first."""

    core = machine()

    def seconds(share: tuple[int, ...]) -> float:
        images, rows = share
        outputs = images * rows * d.ow * d.channels
        moved = images * rows * d.stride[0] * d.iw * d.channels + outputs
        taps = outputs * d.window[0] * d.window[1]
        return 4.0 * (moved / core.bytes_per_second + taps / CACHED_BYTES_PER_SECOND)

    return choose(DIMS, (d.batch, d.oh), (), bound, seconds, core.region_seconds)


def make_split(d: Pool2dDescriptor, decomposition: Decomposition, isa: Isa) -> Split:
    """Everything an execution needs to know, laid out as `layout` says."""
    taps = d.window[0] * d.window[1]
    inside = min(d.window[0], d.ih) * min(d.window[1], d.iw)
    threads = round_up(8 * w.LENGTH, CACHE_LINE)
    first_task = threads + round_up(8 * decomposition.tasks, CACHE_LINE)
    task_bytes = round_up(w.TABLE + 8 * inside, CACHE_LINE)
    plan = table(
        {
            w.KERNEL: reduction.reduce(),
            w.MODE: reduction.MAX if d.mode == "max" else reduction.AVERAGE, w.LANES: isa.lanes,
            w.BATCH: d.batch, w.IH: d.ih, w.IW: d.iw, w.OH: d.oh, w.OW: d.ow,
            w.CHANNELS: d.channels, w.KH: d.window[0], w.KW: d.window[1],
            w.STRIDE_H: d.stride[0], w.STRIDE_W: d.stride[1],
            w.PAD_TOP: d.padding[0], w.PAD_LEFT: d.padding[2],
            w.DIVISOR: taps if d.mode == "average_include_padding" else 0,
            w.GRID_BATCH: decomposition.grid[0], w.GRID_OH: decomposition.grid[1],
            w.TASKS: decomposition.tasks,
            w.TASKS_OFFSET: first_task, w.TASK_BYTES: task_bytes, w.THREADS_OFFSET: threads,
        },
        w.LENGTH,
    )
    nbytes = first_task + decomposition.tasks * task_bytes + CACHE_LINE
    return Split(decomposition, plan, Scratchpads(nbytes), threads, ())
