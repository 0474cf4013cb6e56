"""Few rows times a B that is read where it lies, row by row: GEMV and its neighbours.

    p[i][j] = fma(a[i][k], b[k][j], p[i][j]) for k = 0, 1, ..., from 0
    c[i][j] = first block ? p[i][j] : c[i][j] + p[i][j], unless p is c

A tile would read 256 bytes of every row of B before coming back for the next 256, which memory
answers at two thirds of its speed. Here four rows at a time are read from end to end while the
sums, which are short, stay in the innermost cache. Each is the same chain as a tile's, of the same
blocks of K: same bits.
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

# The argument block is `emit`'s: A, A_OFFSETS, A_STEP, B, B_STRIDE, P, P_OFFSETS, C, C_OFFSETS,
# FIRST, LENGTH, CHAIN, CHAINS, and the columns, of which the last vector's lanes may be fewer. A C
# of 0 leaves the sums in P, which asks for CHAINS of 0; totals of chains lie TOTALS bytes behind P.
COLUMNS, TOTALS = emit.SEGMENTS, emit.NSEGMENTS


class _Gemv(Emitter):
    lanes_word = emit.LANES

    def __init__(self, function: ir.Function, isa: Isa, mr: int) -> None:
        super().__init__(function, isa)
        self.mr = mr

    def emit(self) -> None:
        b = self.builder
        self.mask = self._lane_mask()
        self.a_step, self.stride = self._word(emit.A_STEP), self._word(emit.B_STRIDE)
        self.a_rows = self._row_addresses(emit.A, emit.A_OFFSETS)
        self.p_rows = self._row_addresses(emit.P, emit.P_OFFSETS)
        columns, lanes = self._word(COLUMNS), ir.Constant(I64, self.isa.lanes)
        self.vectors = b.udiv(b.sub(columns, ir.Constant(I64, 1)), lanes)
        zero, at, length = ir.Constant(I64, 0), self._word(emit.B), self._word(emit.LENGTH)
        chains = self._word(emit.CHAINS)
        done = b.mul(chains, self._word(emit.CHAIN))
        with b.if_then(b.icmp_signed("!=", chains, zero)):
            self._chains(chains, at)
        self._clear(self.p_rows)
        self._terms(b.mul(done, self.a_step), b.add(at, b.mul(done, self.stride)),
                    b.sub(length, done))
        with b.if_then(b.icmp_signed("!=", chains, zero)):
            self._add_rows(self._totals(), self.p_rows, self.p_rows)
        with b.if_then(b.not_(self._is_zero(emit.C))):
            targets = self._row_addresses(emit.C, emit.C_OFFSETS)
            self._when(self._word(emit.FIRST), lambda: self._add_rows(None, self.p_rows, targets),
                       lambda: self._add_rows(targets, self.p_rows, targets))
        b.ret_void()

    # -- vectors of columns -------------------------------------------------------------------

    def _row_addresses(self, base: int, offsets: int) -> list[ir.Value]:
        table, address = self._word(offsets), self._word(base)
        return [self._add(address, self._load_word(table, i)) for i in range(self.mr)]

    def _totals(self) -> list[ir.Value]:
        return [self._add(row, self._word(TOTALS)) for row in self.p_rows]

    def _across(self, body) -> None:
        """`body(offset, masked)` for every vector of columns."""
        step = ir.Constant(I64, self.isa.width)
        self._loop("column", self.vectors, [(ir.Constant(I64, 0), step)],
                   lambda offset: body(offset, False))
        body(self.builder.mul(self.vectors, step), True)

    def _zeros(self) -> ir.Value:
        return ir.Constant(self.vector, [0.0] * self.isa.lanes)

    def _clear(self, rows: list[ir.Value]) -> None:
        self._across(lambda offset, masked: [
            self._store(self._zeros(), self._add(row, offset), masked) for row in rows])

    def _add_rows(
        self, others: list[ir.Value] | None, rows: list[ir.Value], targets: list[ir.Value]
    ) -> None:
        """targets = others + rows; without `others` a copy."""

        def column(offset: ir.Value, masked: bool) -> None:
            for i, (row, target) in enumerate(zip(rows, targets, strict=True)):
                value = self._load(self._add(row, offset), masked)
                if others is not None:
                    other = self._load(self._add(others[i], offset), masked)
                    value = self.builder.fadd(other, value)
                self._store(value, self._add(target, offset), masked)

        self._across(column)

    # -- rows of B ----------------------------------------------------------------------------

    def _chains(self, chains: ir.Value, at: ir.Value) -> None:
        """Full chains, each of at least two passes, into the totals."""
        b, chain, depth = self.builder, self._word(emit.CHAIN), ir.Constant(I64, DEPTH)
        a_deep, b_deep = b.mul(depth, self.a_step), b.mul(depth, self.stride)
        totals = self._totals()
        self._clear(totals)

        def one(a: ir.Value, at: ir.Value) -> None:
            self._rows_of_b(a, at, DEPTH, fresh=True)
            passed = b.sub(b.udiv(chain, depth), ir.Constant(I64, 1))
            starts = self._add(a, a_deep), self._add(at, b_deep)
            self._loop("deep", b.sub(passed, ir.Constant(I64, 1)),
                       list(zip(starts, (a_deep, b_deep), strict=True)),
                       lambda a, at: self._rows_of_b(a, at, DEPTH))
            self._rows_of_b(self._add(a, b.mul(passed, a_deep)),
                            self._add(at, b.mul(passed, b_deep)), DEPTH, totals=totals)

        self._loop("chain", chains, [(ir.Constant(I64, 0), b.mul(chain, self.a_step)),
                                     (at, b.mul(chain, self.stride))], one)

    def _terms(self, a: ir.Value, at: ir.Value, length: ir.Value) -> None:
        """`length` rows of B from `at` on."""
        b, depth = self.builder, ir.Constant(I64, DEPTH)
        blocks = b.udiv(length, depth)
        done = b.mul(blocks, depth)
        self._loop("deep", blocks,
                   [(a, b.mul(self.a_step, depth)), (at, b.mul(self.stride, depth))],
                   lambda a, at: self._rows_of_b(a, at, DEPTH))
        self._loop("rest", b.sub(length, done),
                   [(b.add(a, b.mul(done, self.a_step)), self.a_step),
                    (b.add(at, b.mul(done, self.stride)), self.stride)],
                   lambda a, at: self._rows_of_b(a, at, 1))

    def _rows_of_b(
        self, a: ir.Value, at: ir.Value, depth: int, *, fresh: bool = False,
        totals: list[ir.Value] | None = None,
    ) -> None:
        """Add `depth` rows to the sums, or to zero if `fresh`; and these to `totals`, if given."""
        b = self.builder
        factors = []
        for row in self.a_rows:
            address = self._add(row, a)
            factors.append([])
            for _ in range(depth):
                factors[-1].append(self._splat(self._load_scalar(address)))
                address = b.add(address, self.a_step)
        rows = [at]
        while len(rows) < depth:
            rows.append(b.add(rows[-1], self.stride))

        def column(offset: ir.Value, masked: bool) -> None:
            def held(places: list[ir.Value]) -> list[ir.Value]:
                return [self._load(self._add(place, offset), masked) for place in places]

            sums = [self._zeros()] * self.mr if fresh else held(self.p_rows)
            for k, row in enumerate(rows):
                values = self._load(self._add(row, offset), masked)
                sums = [self._fma(factor[k], values, before)
                        for factor, before in zip(factors, sums, strict=True)]
            if totals is not None:
                sums = [b.fadd(total, value)
                        for total, value in zip(held(totals), sums, strict=True)]
            for value, place in zip(sums, totals or self.p_rows, strict=True):
                self._store(value, self._add(place, offset), masked)

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

