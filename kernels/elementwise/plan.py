"""What an element-wise primitive computes, how it is split, and its plan."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from threadpool_iface import Decomposition
from threadpool_iface.decomposition import choose

from ..costs import machine
from ..microkernels import f32, rows
from ..microkernels.isa import Isa
from ..post_ops import Function, PostOp, Sum, encode
from ..primitive import Split
from ..scratchpad import Scratchpads
from ..shapes import Shape
from ..words import CACHE_LINE, round_up, table
from . import layout as w
from .driver import CHUNK

DIMS = ("chunks",)
#: Rows are gathered in groups only up to this length, or a group would not stay in cache; and one
#: by one up to this, since every task needs room for two of them.
LONGEST_GROUPED, LONGEST_GATHERED = 4096, 1 << 16


def arithmetic(post_ops: tuple[PostOp, ...]) -> int:
    """The kernel for these post-ops."""
    return rows.FUNCTIONS if any(isinstance(op, Function) for op in post_ops) else rows.ARITHMETIC


@dataclass(frozen=True)
class ElementwiseDescriptor:
    """`text` is the whole of it in benchdnn's notation; extents are those of the output.

    `inner` is the axis along which rows run, -1 for any; `inputs` counts the arrays that are read.
    """

    shape: Shape
    input_shapes: tuple[Shape, ...]
    what: int
    operation: str
    inner: int
    post_ops: tuple[PostOp, ...]
    dtype: str
    text: str

    @property
    def out_shape(self) -> Shape:
        return self.shape

    @property
    def needs_out(self) -> bool:
        return any(isinstance(op, Sum) for op in self.post_ops)

    @property
    def longest(self) -> int:
        """Elements of the longest row a kernel is called for."""
        return max(1, self.shape[self.inner]) if self.inner >= 0 else CHUNK

    def __str__(self) -> str:
        return self.text


def decompose(d: ElementwiseDescriptor, bound: int) -> Decomposition:
    """The number of tasks, at most `bound`, that the cost model predicts to end first."""
    size = prod(d.shape)
    longest = d.longest
    moved = 4.0 * (len(d.input_shapes) + 1) * min(size, longest)

    core = machine()

    def seconds(share: tuple[int, ...]) -> float:
        return share[0] * moved / core.bytes_per_second

    return choose(DIMS, (-(-size // longest),), (), bound, seconds, core.region_seconds)


def make_split(d: ElementwiseDescriptor, decomposition: Decomposition, isa: Isa) -> Split:
    """Everything an execution needs to know, laid out as `layout` says."""
    code, scales = encode(d.post_ops)
    group = isa.lanes if d.longest <= LONGEST_GROUPED else 1
    others = 0 if d.what == rows.SOFTMAX else 2
    gathers = d.longest <= LONGEST_GATHERED
    rooms = (group + others + 1) * gathers
    threads = round_up(8 * w.LENGTH, CACHE_LINE)
    first_task = threads + round_up(8 * decomposition.tasks, CACHE_LINE)
    task_bytes = round_up(w.ROOM + 4 * d.longest * rooms, CACHE_LINE)
    words = {
        w.KERNEL: f32.row_kernels(), w.WHAT: d.what,
        w.OPERATION: rows.OPERATIONS.index(d.operation),
        w.POST_OPS: code, w.SCALES: scales.ctypes.data, w.SUM: int(d.needs_out),
        w.LANES: isa.lanes, w.DIMS: len(d.shape), w.INNER: d.inner, w.LONGEST: d.longest,
        w.GROUP: group, w.GATHERS: int(gathers), w.OTHERS: others,
        w.TASKS: decomposition.tasks, w.TASKS_OFFSET: first_task,
        w.TASK_BYTES: task_bytes, w.THREADS_OFFSET: threads,
    }
    words.update({w.SHAPE + i: extent for i, extent in enumerate(d.shape)})
    nbytes = first_task + decomposition.tasks * task_bytes + CACHE_LINE
    return Split(decomposition, table(words, w.LENGTH), Scratchpads(nbytes), threads, (scales,))
