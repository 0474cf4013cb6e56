"""Transforms of Winograd's minimal filtering, F(m x m, 3 x 3), as LLVM vectors over channels.

    Y = A^T [ (G g G^T) * (B^T d B) ] A

after Lavin and Gray, Fast Algorithms for Convolutional Neural Networks (2015), for m = 2 with the
points 0, 1, -1 and infinity, and for m = 4 with 0, a, -a, b, -b and infinity, where a = sqrt(1/2)
and b = sqrt(2) = 1/a. With these points the error of F(4x4) is a quarter of what the textbook's 0,
+-1, +-2 give: powers of points near 1 grow and shrink the least.

The input transform writes n x n = (m + 2)^2 vectors, one for each `xi`, that a GEMM for each xi
then multiplies with the transformed weights; the output transform adds n x n vectors up to m x m
outputs and finishes them as every tile does, with bias and post-ops.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import sqrt

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from ..compiling import c_function
from . import isa
from .emit import A_STEP, A, Tile
from .isa import Isa
from .vectors import F32, I32, I64, Emitter, internal_function

#: Of the transforms along one line only: F(4, 4), its points +-1/2, +-1, +-2 and infinity.
LINE_VARIANT, LINE_OUTPUTS, LINE_TAPS = 14, 4, 4
LINE_POINTS = (0.5, 1.0, 2.0)
#: Sides of square tiles of outputs for which there are kernels, and lines.
VARIANTS = (2, 4, LINE_VARIANT)
SMALL, LARGE = sqrt(0.5), sqrt(2.0)

# The input transform's argument block: a table of the n x n addresses that the input's channels
# start at, where the n x n results go and how far apart (bytes), whole vectors, and lanes of one
# more.
(TABLE, V, V_STRIDE, VECTORS, TAIL) = range(5)

# The weight transform's: the first of up to `lanes` filters and how far apart they, their taps and
# their input channels are (bytes), how many filters and input channels there are, where results go
# and how far apart those of two channels and of two xi are; of a line, whose taps are BY_KW apart,
# how many taps it has.
(FILTERS, BY_FILTER, BY_KH, BY_KW, BY_CHANNEL, VALID, CHANNELS, TARGET, TARGET_ROW,
 TARGET_STRIDE, TAPS) = range(11)

Vector = ir.Value


class _Arithmetic:
    """One-dimensional transforms of a row or column of vectors."""

    def __init__(self, emitter: Emitter) -> None:
        self._emitter = emitter
        self.vector = emitter.vector

    def _add(self, x: Vector, y: Vector) -> Vector:
        return self._emitter.builder.fadd(x, y)

    def _subtract(self, x: Vector, y: Vector) -> Vector:
        return self._emitter.builder.fsub(x, y)

    def _constant(self, value: float) -> Vector:
        return ir.Constant(self.vector, [value] * self.vector.count)

    def _times(self, factor: float, x: Vector) -> Vector:
        return self._emitter.builder.fmul(self._constant(factor), x)

    def _plus(self, x: Vector, factor: float, y: Vector) -> Vector:
        """x + factor * y"""
        return self._emitter._fma(self._constant(factor), y, x)

    def input(self, d: Sequence[Vector]) -> list[Vector]:
        """B^T d"""
        if len(d) == 7:
            return self._line_input(d)
        if len(d) == 4:
            return [self._subtract(d[0], d[2]), self._add(d[1], d[2]),
                    self._subtract(d[2], d[1]), self._subtract(d[1], d[3])]
        near_even = self._plus(d[4], -LARGE * LARGE, d[2])
        near_odd = self._plus(self._times(SMALL, d[3]), -LARGE, d[1])
        far_even = self._plus(d[4], -SMALL * SMALL, d[2])
        far_odd = self._plus(self._times(LARGE, d[3]), -SMALL, d[1])
        return [
            self._add(self._plus(d[0], -2.5, d[2]), d[4]),
            self._add(near_even, near_odd), self._subtract(near_even, near_odd),
            self._add(far_even, far_odd), self._subtract(far_even, far_odd),
            self._add(self._plus(d[1], -2.5, d[3]), d[5]),
        ]

    def output(self, m: Sequence[Vector]) -> list[Vector]:
        """A^T m"""
        if len(m) == 7:
            return self._line_output(m)
        near, far = self._add(m[1], m[2]), self._subtract(m[1], m[2])
        if len(m) == 4:
            return [self._add(m[0], near), self._subtract(far, m[3])]
        sums, differences = (near, self._add(m[3], m[4])), (far, self._subtract(m[3], m[4]))
        return [
            self._add(self._add(m[0], sums[0]), sums[1]),
            self._plus(self._times(SMALL, differences[0]), LARGE, differences[1]),
            self._plus(self._times(SMALL**2, sums[0]), LARGE**2, sums[1]),
            self._add(self._plus(self._times(SMALL**3, differences[0]), LARGE**3, differences[1]),
                      m[5]),
        ]


    def _line_input(self, d: Sequence[Vector]) -> list[Vector]:
        """For a point p, the coefficients of the product of (x - q) over the other points q."""
        rows = []
        for p in LINE_POINTS:
            q, r = (other * other for other in LINE_POINTS if other != p)
            even = self._plus(self._plus(d[4], -(q + r), d[2]), q * r, d[0])
            odd = self._plus(self._plus(d[5], -(q + r), d[3]), q * r, d[1])
            rows += [self._plus(odd, p, even), self._plus(odd, -p, even)]
        a, b, c = (p * p for p in LINE_POINTS)
        last = self._plus(d[6], -(a + b + c), d[4])
        last = self._plus(last, a * b + b * c + c * a, d[2])
        return [*rows, self._plus(last, -a * b * c, d[0])]

    def _line_output(self, m: Sequence[Vector]) -> list[Vector]:
        """The powers 0 to 3 of every point, and infinity's part of the last."""
        sums = [self._add(m[i], m[i + 1]) for i in (0, 2, 4)]
        differences = [self._subtract(m[i], m[i + 1]) for i in (0, 2, 4)]
        outputs = []
        for power in range(LINE_OUTPUTS):
            terms = differences if power % 2 else sums
            factors = [p**power for p in LINE_POINTS]
            value = self._plus(self._times(factors[0], terms[0]), factors[1], terms[1])
            outputs.append(self._plus(value, factors[2], terms[2]))
        return [*outputs[:-1], self._add(outputs[-1], m[6])]


class _DoubleArithmetic(_Arithmetic):
    """The weights' transform, in double precision: they are transformed once and used often."""

    def __init__(self, emitter: Emitter) -> None:
        super().__init__(emitter)
        self.vector = ir.VectorType(ir.DoubleType(), emitter.isa.lanes)

    def filter2(self, g: Sequence[Vector]) -> list[Vector]:
        """G g for F(2)"""
        x, y, z = g
        ends, middle = self._times(0.5, self._add(x, z)), self._times(0.5, y)
        return [x, self._add(ends, middle), self._subtract(ends, middle), z]

    def filter4(self, g: Sequence[Vector]) -> list[Vector]:
        """G g for F(4): for a finite point p, (1, p, p^2) / product of its distances to the others.
        """
        x, y, z = g
        rows = [x]
        for point, distances in ((SMALL, -1.5), (LARGE, 6.0)):
            even = self._times(1 / distances, self._add(x, self._times(point * point, z)))
            odd = self._times(point / distances, y)
            rows += [self._add(even, odd), self._subtract(even, odd)]
        return [*rows, z]


    def filter_line(self, g: Sequence[Vector]) -> list[Vector]:
        """G g for F(4, 4), as `filter4`."""
        rows = []
        for p in LINE_POINTS:
            q, r = (other * other for other in LINE_POINTS if other != p)
            scale = 1 / (2 * p * (p * p - q) * (p * p - r))
            even = self._times(scale, self._add(g[0], self._times(p**2, g[2])))
            odd = self._times(scale, self._add(self._times(p, g[1]), self._times(p**3, g[3])))
            # The other sign of p changes that of the product of distances too.
            rows += [self._add(even, odd), self._subtract(odd, even)]
        return [*rows, g[3]]


def _both_ways(
    transform: Callable[[Sequence[Vector]], list[Vector]], rows: list[list[Vector]]
) -> list[list[Vector]]:
    """Columns first, then rows."""
    columns = [transform(column) for column in zip(*rows, strict=True)]
    return [transform(row) for row in zip(*columns, strict=True)]


class _Input(Emitter):
    """V[xi] = (B^T d B)[xi] for all channels of one tile."""

    lanes_word = TAIL

    def __init__(self, function: ir.Function, isa: Isa, m: int) -> None:
        super().__init__(function, isa)
        self.line = m == LINE_VARIANT
        self.n = LINE_OUTPUTS + LINE_TAPS - 1 if self.line else m + 2
        self.mask = self._lane_mask()

    def emit(self) -> None:
        zero, step = ir.Constant(I64, 0), ir.Constant(I64, 4 * self.isa.lanes)
        vectors = self._word(VECTORS)
        self._loop("c", vectors, [(zero, step)], lambda offset: self._channels(offset, False))
        tail = self.builder.icmp_signed("!=", self._word(TAIL), zero)
        with self.builder.if_then(tail):
            self._channels(self.builder.mul(vectors, step), True)
        self.builder.ret_void()

    def _channels(self, offset: Vector, masked: bool) -> None:
        table, target, stride = self._word(TABLE), self._word(V), self._word(V_STRIDE)
        d = [[self._load(self._add(self._load_word(table, self.n * i + j), offset), masked)
              for j in range(self.n)] for i in range(1 if self.line else self.n)]
        address = self._add(target, offset)
        transform = _Arithmetic(self).input
        for row in [transform(d[0])] if self.line else _both_ways(transform, d):
            for value in row:
                self._store(value, address, masked=False)  # rows of V are whole vectors
                address = self._add(address, stride)


class _Filter(Emitter):
    """U[xi] = (G g G^T)[xi] for a vector of filters and all input channels."""

    lanes_word = VALID

    def __init__(self, function: ir.Function, isa: Isa, m: int) -> None:
        super().__init__(function, isa)
        self.m = m

    def emit(self) -> None:
        b, last = self.builder, self.builder.sub(self._word(VALID), ir.Constant(I64, 1))
        filters = []
        for lane in range(self.isa.lanes):
            index = ir.Constant(I64, lane)
            # Lanes without a filter repeat the last one: they are multiplied but never stored.
            index = b.select(b.icmp_signed("<", index, last), index, last)
            filters.append(b.add(self._word(FILTERS), b.mul(index, self._word(BY_FILTER))))
        zero = ir.Constant(I64, 0)
        self._loop("c", self._word(CHANNELS),
                   [(zero, self._word(BY_CHANNEL)), (self._word(TARGET), self._word(TARGET_ROW))],
                   lambda offset, target: self._channel(filters, offset, target))
        b.ret_void()

    def _channel(self, filters: list[Vector], offset: Vector, target: Vector) -> None:
        arithmetic = _DoubleArithmetic(self)
        stride = self._word(TARGET_STRIDE)
        if self.m == LINE_VARIANT:
            rows = [arithmetic.filter_line([self._line_tap(filters, offset, x)
                                            for x in range(LINE_TAPS)])]
        else:
            transform = arithmetic.filter4 if self.m == 4 else arithmetic.filter2
            rows = _both_ways(transform, [
                [self._taps(filters, offset, ir.Constant(I64, y), ir.Constant(I64, x))
                 for x in range(3)] for y in range(3)])
        for row in rows:
            for value in row:
                self._store(self.builder.fptrunc(value, self.vector), target, masked=False)
                target = self.builder.add(target, stride)

    def _line_tap(self, filters: list[Vector], offset: Vector, x: int) -> Vector:
        """Tap x of every filter, 0 behind the last."""
        b, zero = self.builder, ir.Constant(I64, 0)
        there = b.icmp_signed("<", ir.Constant(I64, x), self._word(TAPS))
        value = self._taps(filters, offset, zero, b.select(there, ir.Constant(I64, x), zero))
        return b.select(there, value, ir.Constant(value.type, [0.0] * self.isa.lanes))

    def _taps(self, filters: list[Vector], offset: Vector, y: Vector, x: Vector) -> Vector:
        """Tap (y, x) of every filter."""
        b = self.builder
        shift = b.add(b.mul(self._word(BY_KH), y), b.mul(self._word(BY_KW), x))
        shift = b.add(shift, offset)
        vector = ir.Constant(self.vector, ir.Undefined)
        for lane, start in enumerate(filters):
            scalar = b.load(self._pointer(b.add(start, shift), F32), align=4)
            vector = b.insert_element(vector, scalar, ir.Constant(I32, lane))
        return b.fpext(vector, ir.VectorType(ir.DoubleType(), self.isa.lanes))


class _Output(Tile):
    """C = post_ops(A^T M A + bias): m x m output pixels, one vector of channels."""

    def __init__(self, function: ir.Function, isa: Isa, m: int) -> None:
        self.line = m == LINE_VARIANT
        super().__init__(function, isa, LINE_OUTPUTS if self.line else m * m, 1)
        self.m = m

    def emit(self) -> None:
        address, stride, n = self._word(A), self._word(A_STEP), self.m + 2
        products = []
        for _ in range(LINE_OUTPUTS + LINE_TAPS - 1 if self.line else n * n):
            products.append(self._load(address, masked=False))
            address = self._add(address, stride)
        transform = _Arithmetic(self).output
        if self.line:
            outputs = transform(products)
        else:
            rows = [products[n * i : n * (i + 1)] for i in range(n)]
            outputs = [y for row in _both_ways(transform, rows) for y in row]
        for (cell,), value in zip(self.acc, outputs, strict=True):
            self.builder.store(value, cell)
        self._finish()
        self.builder.ret_void()


def _emit_switch(
    builder: ir.IRBuilder, m: ir.Value, args: ir.Value, what: str,
    kind: type[_Input | _Filter | _Output],
) -> None:
    current, done = isa.current(), builder.append_basic_block("done")
    switch = builder.switch(m, done)
    for variant in VARIANTS:
        function, new = internal_function(
            builder.module, f"tpi_winograd_{what}_f32_{current.name}_{variant}")
        if new:
            kind(function, current, variant).emit()
        block = builder.append_basic_block(f"f{variant}")
        switch.add_case(ir.Constant(I64, variant), block)
        builder.position_at_end(block)
        builder.call(function, [args])
        builder.branch(done)
    builder.position_at_end(done)


_I64 = types.int64
SIGNATURE = types.void(_I64, _I64, _I64)


@intrinsic
def _input(typingctx, m, args):
    def codegen(context, builder, signature, values):
        _emit_switch(builder, *values, "input", _Input)
        return context.get_dummy_value()

    return types.void(_I64, _I64), codegen


@intrinsic
def _output(typingctx, m, args):
    def codegen(context, builder, signature, values):
        _emit_switch(builder, *values, "output", _Output)
        return context.get_dummy_value()

    return types.void(_I64, _I64), codegen


@intrinsic
def _filter(typingctx, m, args):
    def codegen(context, builder, signature, values):
        _emit_switch(builder, *values, "filter", _Filter)
        return context.get_dummy_value()

    return types.void(_I64, _I64), codegen


@c_function("Winograd filter transform", SIGNATURE)
def filter_transform(m, _, args):
    """F(m x m): a vector of filters, all of their input channels."""
    _filter(m, args)


@c_function("Winograd input transform", SIGNATURE)
def input_transform(m, _, args):
    """F(m x m): all channels of one tile of the input."""
    _input(m, args)


@c_function("Winograd output transform", SIGNATURE)
def output_transform(m, _, args):
    """F(m x m): one vector of channels of one tile of the output."""
    _output(m, args)
