"""What the element-wise primitives share: the split, the kernel's name, the call."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from threadpool_iface import Decomposition, Stream

from ..microkernels import isa
from ..operands import NONE, checked, checked_out
from ..primitive import Primitive, Split
from ..shapes import Shape
from .driver import execute, tasks
from .layout import MAX_DIMS
from .plan import ElementwiseDescriptor, decompose, make_split


class Elementwise(Primitive):
    """Base of the primitives whose outputs need few inputs each, and which memory limits."""

    descriptor: ElementwiseDescriptor
    family: ClassVar[str] = "rows"

    @property
    def kernel_name(self) -> str:
        return f"{self.family}_f32:{isa.current().name}"

    def _run(
        self, out: np.ndarray | None, stream: Stream | None, a: np.ndarray, b: np.ndarray = NONE,
        d: np.ndarray = NONE,
    ) -> np.ndarray:
        """Execute on checked inputs; `b` and `d` may be absent."""
        descriptor = self.descriptor
        result = checked_out(out, descriptor.shape, descriptor.needs_out, a, b, d)
        if result.size == 0:
            return result
        target = result if result.flags.aligned else result.copy()
        run = execute(a.ndim, b.ndim, d.ndim, target.ndim)
        self._execute(stream, run, tasks(), a, b, d, target)
        if target is not result:
            result[...] = target
        return result

    def _example(self) -> tuple[np.ndarray, ...]:
        d = self.descriptor
        return tuple(np.ones(shape, d.dtype) for shape in d.input_shapes)

    def _decompose(self, bound: int) -> Decomposition:
        return decompose(self.descriptor, bound)

    def _make_split(self, decomposition: Decomposition) -> Split:
        return make_split(self.descriptor, decomposition, isa.current())


class Unary(Elementwise):
    """Those of one input."""

    def __call__(
        self, src: np.ndarray, *, out: np.ndarray | None = None, stream: Stream | None = None
    ) -> np.ndarray:
        """Compute.

        Parameters
        ----------
        src : ndarray of float32
            Of the shape given at creation; any strides.
        out : ndarray of float32, optional
            Where to write; any strides, no overlap with `src`. Required by "sum".
        stream : Stream, optional
            Where to run; the calling thread's effective pool by default.

        Returns
        -------
        ndarray of float32
            `out`, or a new array; of the same shape, or, from `Reorder`, with the axes that
            `dst_layout` says.

        Raises
        ------
        TypeError, ValueError
            An operand that does not fit the descriptor.
        ThreadpoolError
            The pool is closed or failed.
        """
        source = checked(src, "src", self.descriptor.input_shapes[0])
        return self._run(out, stream, self._arranged(source))

    def _arranged(self, src: np.ndarray) -> np.ndarray:
        """The input with its axes as the output's."""
        return src


def refuse_many_dimensions(shape: Shape, name: str) -> None:
    if len(shape) > MAX_DIMS:
        raise ValueError(f"{name} must have at most {MAX_DIMS} dimensions, not {len(shape)}")


def extents(shape: Shape) -> str:
    """As benchdnn writes them."""
    return "x".join(map(str, shape))
