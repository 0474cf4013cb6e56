"""The float32 microkernels, written as LLVM vectors.

One tile is MR rows (output pixels, or rows of C) by `nv` vectors of columns (output channels, or
columns of C). It computes, for row i and column j,

    acc[i, j] = 0
    for s in segments: for k < length: acc[i, j] = fma(A[i, s, k], B[s, k, j], acc[i, j])
    not the first block ? acc[i, j] = P[i, j] + acc[i, j]
    last block ? C[i, j] = post_ops(acc[i, j] + bias[j]) : P[i, j] = acc[i, j]

where every row of A, P and C has its own byte offset and every segment its own offset into A and
its own first row of B: a GEMM has one segment, a convolution one for each run of taps that is
contiguous in memory, so neither needs im2col or padded copies. An element is a sum of block sums,
each a chain of at most KC multiply-adds in the order of K: rounding errors grow with KC and the
number of blocks, not with K (Higham, Accuracy and Stability of Numerical Algorithms, 4.2). Blocks
come from the shape alone, so results are bit-identical for every decomposition.

The tiles are ordinary internal LLVM functions behind one switch on (mr, nv). Loading an operand
that is one broadcast per row ("gemm") or one vector per row ("depthwise") is the only difference
between the two families.
"""

from __future__ import annotations

from functools import partial

from llvmlite import ir

from .functions import unary
from .isa import Isa
from .vectors import I64, Emitter, internal_function

# The argument block: int64 words at these indices. Offsets and strides are in bytes; a segment is
# two words, its offset into A and the index of its first row of B.
(A, A_OFFSETS, A_STEP, B, B_STRIDE, SEGMENTS, NSEGMENTS, LENGTH, P, P_OFFSETS, C, C_OFFSETS,
 BIAS, FIRST, LAST, LANES, POST_OPS, POST_OP_SCALES, CHAIN, CHAINS,
 CHAIN_STEP) = range(21)
ARGS_WORDS = 21

# Tiles of one row or one vector cut each segment into CHAINS chains of CHAIN terms and a last one
# of the rest; `panels.set_length` says when. CHAIN is a multiple of what the word CHAIN_STEP holds.

#: What CHAIN_STEP holds: two passes of a GEMV kernel.
STEP = 8

# Post-op codes, four bits each in the word POST_OPS, applied from the lowest bits up. Each has two
# parameters in the table POST_OP_SCALES, of the kernel's element. From OP_FUNCTIONS on they are
# functions by name.
OP_END, OP_RELU, OP_SUM, OP_CLIP, OP_FUNCTIONS = 0, 1, 2, 3, 4
FUNCTION_NAMES = ("sigmoid", "silu", "tanh", "gelu", "gelu_tanh")
MAX_POST_OPS = 15


class Tile(Emitter):
    """One MR x nv tile: accumulators, and what is done with them at the end."""

    lanes_word = LANES
    #: Whether post-ops may be functions. They are calls, which cost a loop around them its
    #: registers.
    has_functions = True

    def __init__(
        self, function: ir.Function, isa: Isa, mr: int, nv: int, depthwise: bool = False
    ) -> None:
        super().__init__(function, isa)
        self.mr, self.nv, self.depthwise = mr, nv, depthwise
        self.acc = self._cells()
        self.chained = mr == 1 or nv == 1
        self.total = self._cells() if self.chained else []
        self.mask = self._lane_mask()

    def emit(self) -> None:
        self._clear(self.acc + self.total)
        with self.builder.if_then(self._is_zero(FIRST)):
            self._prefetch_partials()
        self._accumulate()
        with self.builder.if_then(self._is_zero(FIRST)):
            self._add_partials()
        self._when(self._word(LAST), self._finish, lambda: self._store_rows(P, P_OFFSETS))
        self.builder.ret_void()

    def _cells(self) -> list[list[ir.Value]]:
        return [[self._alloca(self.vector) for _ in range(self.nv)] for _ in range(self.mr)]

    # -- the parts of a tile ----------------------------------------------------------------------

    def _clear(self, cells: list[list[ir.Value]]) -> None:
        zeros = ir.Constant(self.vector, [0.0] * self.isa.lanes)
        for row in cells:
            for cell in row:
                self.builder.store(zeros, cell)

    def _prefetch_partials(self) -> None:
        for address in self._row_addresses(P, P_OFFSETS):
            for j in range(self.nv):
                self._prefetch(self._add(address, j * self.isa.width))

    def _add_partials(self) -> None:
        """What the blocks before came to; loaded this late, it takes no register from the loop."""
        held = self._cells()
        self._load_rows(P, P_OFFSETS, held)
        self._add_to(self.acc, held)

    def _add_to(self, cells: list[list[ir.Value]], others: list[list[ir.Value]]) -> None:
        """cells = others + cells"""
        b = self.builder
        for row, other in zip(cells, others, strict=True):
            for cell, value in zip(row, other, strict=True):
                b.store(b.fadd(b.load(value), b.load(cell)), cell)

    def _row_addresses(self, base: int, offsets: int) -> list[ir.Value]:
        table, address = self._word(offsets), self._word(base)
        return [self._add(address, self._load_word(table, i)) for i in range(self.mr)]

    def _load_rows(self, base: int, offsets: int, cells) -> None:
        step = self.isa.width
        for row, address in zip(cells, self._row_addresses(base, offsets), strict=True):
            for j, cell in enumerate(row):
                value = self._load(self._add(address, j * step), masked=j == self.nv - 1)
                self.builder.store(value, cell)

    def _store_rows(self, base: int, offsets: int) -> None:
        step = self.isa.width
        for row, address in zip(self.acc, self._row_addresses(base, offsets), strict=True):
            for j, cell in enumerate(row):
                value = self.builder.load(cell)
                self._store(value, self._add(address, j * step), masked=j == self.nv - 1)

    def _accumulate(self) -> None:
        rows = self._row_addresses(A, A_OFFSETS)
        zero, entry_size = ir.Constant(I64, 0), ir.Constant(I64, 16)
        a_step, b_base, b_stride = self._word(A_STEP), self._word(B), self._word(B_STRIDE)
        length = self._word(LENGTH)

        def segment(entry: ir.Value) -> None:
            a_rows = [self._add(row, self._load_word(entry, 0)) for row in rows]
            b_row = self._add(b_base, self.builder.mul(self._load_word(entry, 1), b_stride))

            # Cursors, not multiples of k: with those LLVM keeps an address for each row and step
            # and spills them (half the speed at 8x1).
            def terms(count: ir.Value, a_start: ir.Value, b_start: ir.Value) -> None:
                self._loop("k", count, [(a_start, a_step), (b_start, b_stride)],
                           lambda a, b: self._rank_one([self._add(row, a) for row in a_rows], b))

            if self.chained:
                self._chains(terms, length, a_step, b_row, b_stride)
            else:
                terms(length, zero, b_row)

        self._loop("segment", self._word(NSEGMENTS), [(self._word(SEGMENTS), entry_size)], segment)
        if self.chained:
            self._add_to(self.acc, self.total)

    def _chains(self, terms, length, a_step, b_row, b_stride) -> None:
        """The full chains of a segment, each added to the total, then the rest of its terms."""
        b, chain, chains = self.builder, self._word(CHAIN), self._word(CHAINS)
        zero, one = ir.Constant(I64, 0), ir.Constant(I64, 1)
        # CPUs predict the ends of loops of a few turns, but not that of a chain's 64. LLVM must not
        # see that a step has eight: it would unroll them, which takes twice the time.
        step = self._word(CHAIN_STEP)

        def turn(a_start: ir.Value, b_start: ir.Value, left: ir.Value) -> None:
            full = b.icmp_signed(">", left, chain)
            count = b.select(full, chain, left)
            turns = b.udiv(count, ir.Constant(I64, STEP))
            self._loop("step", turns,
                       [(a_start, b.mul(step, a_step)), (b_start, b.mul(step, b_stride))],
                       lambda a, b: terms(step, a, b))
            done = b.mul(turns, step)
            terms(b.sub(count, done), b.add(a_start, b.mul(done, a_step)),
                  b.add(b_start, b.mul(done, b_stride)))
            with b.if_then(full):
                self._add_to(self.total, self.acc)
                self._clear(self.acc)

        steps = [(zero, b.mul(chain, a_step)), (b_row, b.mul(chain, b_stride)),
                 (length, b.neg(chain))]
        self._loop("chain", b.add(chains, one), steps, turn)

    def _rank_one(self, a_addresses, b_address) -> None:
        b, width = self.builder, self.isa.width
        b_vectors = [self._load(self._add(b_address, j * width), False) for j in range(self.nv)]
        for row, address in zip(self.acc, a_addresses, strict=True):
            if not self.depthwise:
                spread = self._splat(self._load_scalar(address))
            for j, cell in enumerate(row):
                if self.depthwise:
                    spread = self._load(self._add(address, j * width), masked=j == self.nv - 1)
                b.store(self._fma(spread, b_vectors[j], b.load(cell)), cell)

    def _finish(self) -> None:
        self._add_bias()
        self._apply_post_ops()
        self._store_rows(C, C_OFFSETS)

    def _add_bias(self) -> None:
        bias, b = self._word(BIAS), self.builder
        with b.if_then(b.icmp_signed("!=", bias, ir.Constant(I64, 0))):
            for j in range(self.nv):
                address = self._add(bias, j * self.isa.width)
                value = self._load(address, masked=j == self.nv - 1)
                for row in self.acc:
                    b.store(b.fadd(b.load(row[j]), value), row[j])

    def _apply_post_ops(self) -> None:
        b = self.builder
        head, done = b.append_basic_block("ops"), b.append_basic_block("ops.end")
        following = b.append_basic_block("ops.next")
        codes, scales, before = self._word(POST_OPS), self._word(POST_OP_SCALES), b.block
        b.branch(head)
        b.position_at_end(head)
        left, scale = b.phi(I64), b.phi(I64)
        left.add_incoming(codes, before)
        scale.add_incoming(scales, before)
        switch = b.switch(b.and_(left, ir.Constant(I64, 15)), done)
        ops = [(OP_RELU, self._relu), (OP_SUM, self._sum), (OP_CLIP, self._clip)]
        if self.has_functions and self.isa.element == "f32":
            for number, name in enumerate(FUNCTION_NAMES, OP_FUNCTIONS):
                ops.append((number, partial(self._function, name)))
        for code, op in ops:
            block = b.append_basic_block("op")
            switch.add_case(ir.Constant(I64, code), block)
            b.position_at_end(block)
            op(scale)
            b.branch(following)
        b.position_at_end(following)
        left.add_incoming(b.lshr(left, ir.Constant(I64, 4)), following)
        scale.add_incoming(self._add(scale, 2 * self.isa.size), following)
        b.branch(head)
        b.position_at_end(done)

    def _relu(self, scale: ir.Value) -> None:
        """max(x, 0), keeping NaN as it is: `x < 0 ? 0 : x`."""
        b, zeros = self.builder, ir.Constant(self.vector, [0.0] * self.isa.lanes)
        for row in self.acc:
            for cell in row:
                value = b.load(cell)
                b.store(b.select(b.fcmp_ordered("<", value, zeros), zeros, value), cell)

    def _sum(self, scale: ir.Value) -> None:
        """x + scale * (what C held before)."""
        b = self.builder
        factor = self._splat(self._load_scalar(scale))
        before = self._cells()
        self._load_rows(C, C_OFFSETS, before)
        for row, held in zip(self.acc, before, strict=True):
            for cell, old in zip(row, held, strict=True):
                b.store(self._fma(factor, b.load(old), b.load(cell)), cell)


    def _clip(self, scale: ir.Value) -> None:
        """min(max(x, low), high), keeping NaN as it is."""
        b = self.builder
        low, high = (self._splat(self._load_scalar(self._add(scale, offset)))
                     for offset in (0, self.isa.size))
        for row in self.acc:
            for cell in row:
                value = b.load(cell)
                value = b.select(b.fcmp_ordered("<", value, low), low, value)
                b.store(b.select(b.fcmp_ordered(">", value, high), high, value), cell)

    def _function(self, name: str, scale: ir.Value) -> None:
        b, function = self.builder, unary(self.function.module, self.isa, name)
        for row in self.acc:
            for cell in row:
                b.store(b.call(function, [b.load(cell)]), cell)


def _tile_function(module: ir.Module, isa: Isa, mr: int, nv: int, depthwise: bool) -> ir.Function:
    name = f"tpi_{'dw' if depthwise else 'mm'}_{isa.element}_{isa.name}_{mr}x{nv}"
    function, new = internal_function(module, name)
    if new:
        Tile(function, isa, mr, nv, depthwise).emit()
    return function


def emit_switch(
    builder: ir.IRBuilder, isa: Isa, mr: ir.Value, nv: ir.Value, args: ir.Value, depthwise: bool
) -> None:
    """Call the tile for (mr, nv); a pair outside `isa.rows` does nothing."""
    module, done = builder.module, builder.append_basic_block("tile.done")
    key = builder.add(builder.shl(nv, ir.Constant(I64, 8)), mr)
    switch = builder.switch(key, done)
    for width in range(1, len(isa.rows) + 1):
        for height in range(1, isa.rows[width - 1] + 1):
            block = builder.append_basic_block(f"tile.{height}x{width}")
            switch.add_case(ir.Constant(I64, (width << 8) + height), block)
            builder.position_at_end(block)
            builder.call(_tile_function(module, isa, height, width, depthwise), [args])
            builder.branch(done)
    builder.position_at_end(done)
