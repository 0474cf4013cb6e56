"""Few rows times a B that is read where it lies, row by row: GEMV and its neighbours.

    p[i][j] = fma(a[i][k], b[k][j], p[i][j]) for k = 0, 1, ...

A tile would read 256 bytes of every row of B before coming back for the next 256, which memory
answers at two thirds of its speed. Here four rows at a time are read from end to end while the
sums, which are short, stay in the innermost cache. Each is the same chain as a tile's: same bits.
"""

from __future__ import annotations

from llvmlite import ir

from . import emit
from .isa import Isa
from .vectors import I32, I64, Emitter, internal_function

#: The most rows of A; with more a tile wins.
MAX_ROWS = 4
#: Rows of B read side by side.
DEPTH = 4

# The argument block is `emit`'s: A, A_OFFSETS, A_STEP, B, B_STRIDE, P, P_OFFSETS, FIRST, and the
# columns, of which the last vector's lanes may be fewer.
COLUMNS, LENGTH = emit.SEGMENTS, emit.LENGTH


class _Gemv(Emitter):
    lanes_word = emit.LANES

    def __init__(self, function: ir.Function, isa: Isa, mr: int) -> None:
        super().__init__(function, isa)
        self.mr = mr

    def emit(self) -> None:
        b = self.builder
        self.mask = self._lane_mask()
        zero, a_step = ir.Constant(I64, 0), self._word(emit.A_STEP)
        self.stride = stride = self._word(emit.B_STRIDE)
        tables = self._word(emit.A_OFFSETS), self._word(emit.P_OFFSETS)
        bases = self._word(emit.A), self._word(emit.P)
        self.a_rows, self.p_rows = (
            [self._add(base, self._load_word(table, i)) for i in range(self.mr)]
            for base, table in zip(bases, tables, strict=True))
        columns, lanes = self._word(COLUMNS), ir.Constant(I64, self.isa.lanes)
        self.vectors = b.udiv(b.sub(columns, ir.Constant(I64, 1)), lanes)
        self._when(self._word(emit.FIRST), self._clear, lambda: None)
        length, depth = self._word(LENGTH), ir.Constant(I64, DEPTH)
        blocks = b.udiv(length, depth)
        self._loop("deep", blocks, [(zero, b.mul(a_step, depth)),
                                    (self._word(emit.B), b.mul(stride, depth))],
                   lambda a, at: self._rows_of_b(a, at, DEPTH))
        done = b.mul(blocks, depth)
        self._loop("rest", b.sub(length, done),
                   [(b.mul(done, a_step), a_step),
                    (b.add(self._word(emit.B), b.mul(done, stride)), stride)],
                   lambda a, at: self._rows_of_b(a, at, 1))
        b.ret_void()

    def _across(self, body) -> None:
        """`body(offset, masked)` for every vector of columns."""
        step = ir.Constant(I64, self.isa.width)
        self._loop("column", self.vectors, [(ir.Constant(I64, 0), step)],
                   lambda offset: body(offset, False))
        body(self.builder.mul(self.vectors, step), True)

    def _clear(self) -> None:
        zeros = ir.Constant(self.vector, [0.0] * self.isa.lanes)
        self._across(lambda offset, masked: [
            self._store(zeros, self._add(row, offset), masked) for row in self.p_rows])

    def _rows_of_b(self, a: ir.Value, at: ir.Value, depth: int) -> None:
        b, a_step = self.builder, self._word(emit.A_STEP)
        factors = []
        for row in self.a_rows:
            address = self._add(row, a)
            factors.append([])
            for _ in range(depth):
                factors[-1].append(self._splat(self._load_scalar(address)))
                address = b.add(address, a_step)
        rows = [at]
        while len(rows) < depth:
            rows.append(b.add(rows[-1], self.stride))

        def column(offset: ir.Value, masked: bool) -> None:
            sums = [self._load(self._add(row, offset), masked) for row in self.p_rows]
            for k, row in enumerate(rows):
                values = self._load(self._add(row, offset), masked)
                sums = [self._fma(factor[k], values, held)
                        for factor, held in zip(factors, sums, strict=True)]
            for held, row in zip(sums, self.p_rows, strict=True):
                self._store(held, self._add(row, offset), masked)

        self._across(column)


def emit_switch(builder: ir.IRBuilder, isa: Isa, mr: ir.Value, args: ir.Value) -> None:
    """Call the kernel for `mr` rows; more than MAX_ROWS do nothing."""
    done = builder.append_basic_block("done")
    switch = builder.switch(builder.trunc(mr, I32), done)
    for rows in range(1, MAX_ROWS + 1):
        name = f"tpi_mv_{isa.element}_{isa.name}_{rows}"
        function, new = internal_function(builder.module, name)
        if new:
            _Gemv(function, isa, rows).emit()
        block = builder.append_basic_block(f"rows.{rows}")
        switch.add_case(ir.Constant(I32, rows), block)
        builder.position_at_end(block)
        builder.call(function, [args])
        builder.branch(done)
    builder.position_at_end(done)

