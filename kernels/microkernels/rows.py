"""Contiguous rows of elements: arithmetic with post-ops, softmax, and transposing on the way in.

    arithmetic  c[i] = post_ops(a[i] op b[i])           "copy" has no b, "scale_shift" is a b + d
    functions   the same where post-ops may be functions
    softmax     c[i] = exp(a[i] - max a) / sum exp(a - max a)
    columns     softmax of up to lanes rows side by side, elements of a row A_STEP and B_STEP apart
    transpose   c[j][i] = a[i][j] for tiles of lanes x lanes
    copy        c[i][j] = a[i][j] for rows of few vectors, the last one filled up with zeros

An element depends on its operands alone, so rows may be cut anywhere; a softmax row may not. Its
sum has one partial sum for each lane, itself a sum of sums of CHAIN, added up in order, also where
rows lie side by side: the same bits for every stride and task.
"""

from __future__ import annotations

from llvmlite import ir

from . import emit
from .emit import Tile
from .functions import unary
from .isa import Isa
from .vectors import I32, I64, Emitter, internal_function

OPERATIONS = ("copy", "add", "sub", "mul", "div", "max", "min", "scale_shift")
ADD = OPERATIONS.index("add")
ARITHMETIC, FUNCTIONS, SOFTMAX, COLUMNS, TRANSPOSE, COPY = range(6)

# The argument block is that of `emit`, some words with a meaning of their own. A step is the bytes
# from one element of an operand to the next: 4, or 0 for one that is the same for the whole row.
# The row stride of what is transposed is A_STEP, that of where it goes B_STEP, COUNT counts tiles.
A, A_STEP, B, B_STEP = emit.A, emit.A_STEP, emit.B, emit.B_STRIDE
D, D_STEP, C = emit.P, emit.P_OFFSETS, emit.C
COUNT, OPERATION, POST_OPS, POST_OP_SCALES, LANES = (
    emit.LENGTH, emit.SEGMENTS, emit.POST_OPS, emit.POST_OP_SCALES, emit.LANES)
VECTORS = emit.SEGMENTS
ARGS_WORDS = emit.ARGS_WORDS

#: Values of one lane that a softmax adds up before it adds them to the sum.
CHAIN = 128

_ZERO = ir.Constant(I64, 0)


class _Rows(Tile):
    """A loop over blocks of 8 vectors, then over masked vectors."""

    def __init__(self, function: ir.Function, isa: Isa) -> None:
        self.known: dict[int, ir.Value] = {}
        super().__init__(function, isa, mr=1, nv=8)
        self.bytes = isa.width

    def _word(self, index: int) -> ir.Value:
        # Loaded once: the compiler cannot know that what is stored does not change the block.
        if index not in self.known:
            with self.builder.goto_entry_block():
                self.known[index] = super()._word(index)
        return self.known[index]

    def _sweep(self, body) -> None:
        """`body(offset, masked)` with `self.nv` vectors at each offset, over COUNT elements."""
        b, lanes, width = self.builder, self.isa.lanes, self.nv * self.isa.lanes
        count = self._word(COUNT)
        blocks = b.udiv(count, ir.Constant(I64, width))
        self._loop("block", blocks, [(_ZERO, ir.Constant(I64, self.nv * self.bytes))],
                   lambda offset: body(offset, False))
        done = b.mul(blocks, ir.Constant(I64, width))
        rest = b.sub(count, done)
        vectors = b.udiv(b.add(rest, ir.Constant(I64, lanes - 1)), ir.Constant(I64, lanes))
        whole, self.nv, self.acc = (self.nv, self.acc), 1, [self.acc[0][:1]]

        def tail(offset: ir.Value, left: ir.Value) -> None:
            self.mask = self._first_lanes(left)
            body(offset, True)

        self._loop("tail", vectors, [(b.mul(done, ir.Constant(I64, self.isa.size)),
                                      ir.Constant(I64, self.bytes)),
                                     (rest, ir.Constant(I64, -lanes))], tail)
        self.nv, self.acc = whole

    def _first_lanes(self, count: ir.Value) -> ir.Value:
        b, lanes = self.builder, self.isa.lanes
        kind = ir.VectorType(I64, lanes)
        one = b.insert_element(ir.Constant(kind, ir.Undefined), count, ir.Constant(I32, 0))
        spread = b.shuffle_vector(one, ir.Constant(kind, ir.Undefined),
                                  ir.Constant(ir.VectorType(I32, lanes), [0] * lanes))
        return b.icmp_signed("<", ir.Constant(kind, list(range(lanes))), spread)

    def _at(self, base: int, offset: ir.Value, j: int) -> ir.Value:
        return self._add(self._add(self._word(base), offset), j * self.bytes)


class _Arithmetic(_Rows):
    has_functions = False

    def emit(self) -> None:
        self.other = [self._alloca(self.vector) for _ in range(self.nv)]
        self.third = [self._alloca(self.vector) for _ in range(self.nv)]
        self._sweep(self._block)
        self.builder.ret_void()

    def _block(self, offset: ir.Value, masked: bool) -> None:
        self.offset, self.masked = offset, masked
        self._read(A, A_STEP, self.acc[0])
        self._operate()
        self._apply_post_ops()
        for j, cell in enumerate(self.acc[0]):
            self._store(self.builder.load(cell), self._at(C, offset, j), masked)

    def _read(self, base: int, step: int, cells) -> None:
        b = self.builder

        def same() -> None:
            value = self._splat(self._load_scalar(self._word(base)))
            for cell in cells[: self.nv]:
                b.store(value, cell)

        def each() -> None:
            for j, cell in enumerate(cells[: self.nv]):
                b.store(self._load(self._at(base, self.offset, j), self.masked), cell)

        self._when(self._word(step), each, same)

    def _operate(self) -> None:
        b = self.builder
        done = b.append_basic_block("operated")
        switch = b.switch(self._word(OPERATION), done)
        for number, name in enumerate(OPERATIONS[1:], 1):
            block = b.append_basic_block(name)
            switch.add_case(ir.Constant(I64, number), block)
            b.position_at_end(block)
            self._read(B, B_STEP, self.other)
            if name == "scale_shift":
                self._read(D, D_STEP, self.third)
            for j, cell in enumerate(self.acc[0]):
                b.store(self._result(name, b.load(cell), b.load(self.other[j]), j), cell)
            b.branch(done)
        b.position_at_end(done)

    def _result(self, name: str, x: ir.Value, y: ir.Value, j: int) -> ir.Value:
        b = self.builder
        if name == "scale_shift":
            return self._fma(x, y, b.load(self.third[j]))
        if name in ("max", "min"):  # as NumPy's maximum: a NaN on either side wins
            better = b.fcmp_unordered(">" if name == "max" else "<", x, y)
            chosen = b.select(better, x, y)
            return b.select(b.fcmp_unordered("uno", y, y), y, chosen)
        return {"add": b.fadd, "sub": b.fsub, "mul": b.fmul, "div": b.fdiv}[name](x, y)

    def _load_rows(self, base: int, offsets: int, cells) -> None:
        """What `out` held, for the post-op sum."""
        for j, cell in enumerate(cells[0]):
            self.builder.store(self._load(self._at(base, self.offset, j), self.masked), cell)


class _Functions(_Arithmetic):
    has_functions = True


class _Softmax(_Rows):
    def emit(self) -> None:
        b = self.builder
        self.largest, self.scale = self._alloca(self.vector), self._alloca(self.vector)
        self.sum, self.total = self._alloca(self.vector), self._alloca(self.vector)
        self.exp = unary(self.function.module, self.isa, "exp")
        lowest = ir.Constant(self.vector, [float("-inf")] * self.isa.lanes)
        zeros = ir.Constant(self.vector, [0.0] * self.isa.lanes)
        b.store(lowest, self.largest)
        b.store(zeros, self.sum)
        b.store(zeros, self.total)
        self._sweep(lambda offset, masked: self._find_largest(offset, masked, lowest))
        b.store(self._splat(self._across(self.largest, self._larger)), self.largest)
        self._sweep(lambda offset, masked: self._exponentials(offset, masked, zeros))
        b.store(b.fadd(b.load(self.total), b.load(self.sum)), self.sum)
        total = self._across(self.sum, b.fadd)
        b.store(self._splat(b.fdiv(ir.Constant(self.scalar, 1.0), total)), self.scale)
        self._sweep(self._divide)
        b.ret_void()

    def _larger(self, x: ir.Value, y: ir.Value) -> ir.Value:
        # A NaN may get lost here: its own exponential is NaN, and with it the sum.
        return self.builder.select(self.builder.fcmp_ordered("<", x, y), y, x)

    def _across(self, cell: ir.Value, combine) -> ir.Value:
        vector = self.builder.load(cell)
        lane = [self.builder.extract_element(vector, ir.Constant(I32, i))
                for i in range(self.isa.lanes)]
        result = lane[0]
        for value in lane[1:]:
            result = combine(result, value)
        return result

    def _find_largest(self, offset: ir.Value, masked: bool, otherwise: ir.Value) -> None:
        b = self.builder
        for j in range(self.nv):
            value = self._load(self._at(A, offset, j), masked)
            if masked:
                value = b.select(self.mask, value, otherwise)
            b.store(self._larger(b.load(self.largest), value), self.largest)

    def _exponentials(self, offset: ir.Value, masked: bool, otherwise: ir.Value) -> None:
        b = self.builder
        for j in range(self.nv):
            value = self._load(self._at(A, offset, j), masked)
            value = b.call(self.exp, [b.fsub(value, b.load(self.largest))])
            if masked:
                value = b.select(self.mask, value, otherwise)
            self._store(value, self._at(C, offset, j), masked)
            b.store(b.fadd(b.load(self.sum), value), self.sum)
        if not masked:
            self._end_chain(offset)

    def _end_chain(self, offset: ir.Value) -> None:
        """Behind every CHAIN vectors."""
        b, block = self.builder, self.nv * self.bytes
        last = b.and_(offset, ir.Constant(I64, CHAIN * self.bytes - 1))
        with b.if_then(b.icmp_signed("==", last, ir.Constant(I64, CHAIN * self.bytes - block))):
            b.store(b.fadd(b.load(self.total), b.load(self.sum)), self.total)
            b.store(ir.Constant(self.vector, [0.0] * self.isa.lanes), self.sum)

    def _divide(self, offset: ir.Value, masked: bool) -> None:
        b = self.builder
        for j in range(self.nv):
            at = self._at(C, offset, j)
            self._store(b.fmul(self._load(at, masked), b.load(self.scale)), at, masked)


class _Columns(_Softmax):
    """Each lane has a row of its own; the partial sums that a row would have are a table, and
    behind it is another with their totals.
    """

    def emit(self) -> None:
        b, lanes = self.builder, self.isa.lanes
        self.largest, self.scale = self._alloca(self.vector), self._alloca(self.vector)
        self.exp = unary(self.function.module, self.isa, "exp")
        sums = self._alloca(ir.ArrayType(self.vector, 2 * lanes))
        self.sums = b.ptrtoint(sums, I64)
        self.zeros = ir.Constant(self.vector, [0.0] * lanes)
        for i in range(2 * lanes):
            b.store(self.zeros, self._cell(ir.Constant(I64, i)))
        b.store(ir.Constant(self.vector, [float("-inf")] * lanes), self.largest)
        a, a_step = self._word(A), self._word(A_STEP)
        c, c_step = self._word(C), self._word(B_STEP)
        one = ir.Constant(I64, 1)
        self._loop("largest", self._word(COUNT), [(a, a_step)], lambda at: b.store(
            self._larger(b.load(self.largest), self._load(at, True)), self.largest))
        self._loop("exp", self._word(COUNT), [(a, a_step), (c, c_step), (_ZERO, one)],
                   self._exponential)
        self._end_chains()
        total = b.load(self._cell(ir.Constant(I64, lanes)))
        for i in range(lanes + 1, 2 * lanes):
            total = b.fadd(total, b.load(self._cell(ir.Constant(I64, i))))
        b.store(b.fdiv(ir.Constant(self.vector, [1.0] * lanes), total), self.scale)
        self._loop("divide", self._word(COUNT), [(c, c_step)], lambda at: self._store(
            b.fmul(self._load(at, True), b.load(self.scale)), at, True))
        b.ret_void()

    def _cell(self, i: ir.Value) -> ir.Value:
        b = self.builder
        return self._pointer(b.add(self.sums, b.mul(i, ir.Constant(I64, self.bytes))), self.vector)

    def _end_chains(self) -> None:
        b, lanes = self.builder, self.isa.lanes

        def one(lane: ir.Value) -> None:
            held, total = self._cell(lane), self._cell(b.add(lane, ir.Constant(I64, lanes)))
            b.store(b.fadd(b.load(total), b.load(held)), total)
            b.store(self.zeros, held)

        self._loop("lane", ir.Constant(I64, lanes), [(_ZERO, ir.Constant(I64, 1))], one)

    def _exponential(self, source: ir.Value, target: ir.Value, i: ir.Value) -> None:
        b = self.builder
        value = b.call(self.exp, [b.fsub(self._load(source, True), b.load(self.largest))])
        self._store(value, target, True)
        held = self._cell(b.and_(i, ir.Constant(I64, self.isa.lanes - 1)))
        b.store(b.fadd(b.load(held), value), held)
        last = CHAIN * self.isa.lanes - 1
        with b.if_then(b.icmp_signed("==", b.and_(i, ir.Constant(I64, last)),
                                     ir.Constant(I64, last))):
            self._end_chains()


class _Transpose(Emitter):
    """Swaps blocks of 1, 2, 4, ... rows and columns (Eklundh's method), in registers."""

    lanes_word = COUNT

    def emit(self) -> None:
        lanes, row = self.isa.lanes, self._word(A_STEP)
        a_tile = self.builder.mul(row, ir.Constant(I64, lanes))
        self._loop("tile", self._word(COUNT),
                   [(self._word(A), a_tile), (self._word(C), ir.Constant(I64, self.isa.width))],
                   self._tile)
        self.builder.ret_void()

    def _tile(self, source: ir.Value, target: ir.Value) -> None:
        rows = [self._load(address, False) for address in self._rows(source, A_STEP)]
        step = 1
        while step < self.isa.lanes:
            for i in range(self.isa.lanes):
                if not i & step:
                    rows[i], rows[i + step] = self._swapped(rows[i], rows[i + step], step)
            step *= 2
        for row, address in zip(rows, self._rows(target, B_STEP), strict=True):
            self._store(row, address, False)

    def _rows(self, first: ir.Value, stride: int) -> list[ir.Value]:
        addresses, step = [first], self._word(stride)
        while len(addresses) < self.isa.lanes:
            addresses.append(self.builder.add(addresses[-1], step))
        return addresses

    def _swapped(self, x: ir.Value, y: ir.Value, step: int) -> tuple[ir.Value, ir.Value]:
        lanes = self.isa.lanes
        kind = ir.VectorType(I32, lanes)
        low = [lane if not lane & step else lanes + lane - step for lane in range(lanes)]
        high = [lane + step if not lane & step else lanes + lane for lane in range(lanes)]
        shuffle = self.builder.shuffle_vector
        return shuffle(x, y, ir.Constant(kind, low)), shuffle(x, y, ir.Constant(kind, high))


class _Copy(Emitter):
    lanes_word = LANES

    def emit(self) -> None:
        self.mask = self._lane_mask()
        self.vectors, self.left = self._word(VECTORS), self._word(LANES)
        self._loop("row", self._word(COUNT), [(self._word(A), self._word(A_STEP)),
                                              (self._word(C), self._word(B_STEP))], self._row)
        self.builder.ret_void()

    def _row(self, source: ir.Value, target: ir.Value) -> None:
        b, step = self.builder, ir.Constant(I64, self.isa.width)
        self._loop("vector", self.vectors, [(source, step), (target, step)],
                   lambda a, c: self._store(self._load(a, False), c, False))
        with b.if_then(b.icmp_signed("!=", self.left, _ZERO)):
            offset = b.mul(self.vectors, step)
            value = self._load(b.add(source, offset), True)
            self._store(value, b.add(target, offset), False)


_WRITERS = (_Arithmetic, _Functions, _Softmax, _Columns, _Transpose, _Copy)
_OF_F64 = (ARITHMETIC, TRANSPOSE, COPY)


def emit_switch(builder: ir.IRBuilder, isa: Isa, what: ir.Value, args: ir.Value) -> None:
    """Call kernel number `what`; float64 has arithmetic and those that move data."""
    done = builder.append_basic_block("done")
    switch = builder.switch(what, done)
    for number, writer in enumerate(_WRITERS):
        if isa.element == "f64" and number not in _OF_F64:
            continue
        name = writer.__name__.strip("_").lower()
        function, new = internal_function(builder.module, f"tpi_{name}_{isa.element}_{isa.name}")
        if new:
            writer(function, isa).emit()
        block = builder.append_basic_block(name)
        switch.add_case(ir.Constant(I64, number), block)
        builder.position_at_end(block)
        builder.call(function, [args])
        builder.branch(done)
    builder.position_at_end(done)

