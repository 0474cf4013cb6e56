"""Emitting LLVM vector code: what every microkernel is written with."""

from __future__ import annotations

from llvmlite import ir

from .isa import Isa

I64 = ir.IntType(64)
I32 = ir.IntType(32)
F32 = ir.FloatType()
F64 = ir.DoubleType()
VOID = ir.VoidType()
#: A function of an argument block: the address of int64 words.
TILE = ir.FunctionType(VOID, [I64])


class Emitter:
    """Writes the body of `function(args)`."""

    #: Index of the word that says how many lanes of the last vector exist.
    lanes_word: int

    def __init__(self, function: ir.Function, isa: Isa) -> None:
        self.isa = isa
        self.scalar = F64 if isa.element == "f64" else F32
        self.vector = ir.VectorType(self.scalar, isa.lanes)
        self.function = function
        self.builder = ir.IRBuilder(function.append_basic_block("entry"))
        self.args = function.args[0]

    def _alloca(self, kind: ir.Type) -> ir.Value:
        # In the entry block, or each turn of a loop would take more stack.
        with self.builder.goto_entry_block():
            return self.builder.alloca(kind)

    def _pointer(self, address: ir.Value, kind: ir.Type) -> ir.Value:
        return self.builder.inttoptr(address, kind.as_pointer())

    def _add(self, address: ir.Value, offset: ir.Value | int) -> ir.Value:
        if isinstance(offset, int):
            if offset == 0:
                return address
            offset = ir.Constant(I64, offset)
        return self.builder.add(address, offset)

    def _load_word(self, table: ir.Value, index: int) -> ir.Value:
        return self.builder.load(self._pointer(self._add(table, 8 * index), I64), align=8)

    def _word(self, index: int) -> ir.Value:
        return self._load_word(self.args, index)

    def _load_scalar(self, address: ir.Value) -> ir.Value:
        return self.builder.load(self._pointer(address, self.scalar), align=self.isa.size)

    def _splat(self, scalar: ir.Value) -> ir.Value:
        b = self.builder
        one = b.insert_element(ir.Constant(self.vector, ir.Undefined), scalar, ir.Constant(I32, 0))
        zeros = ir.Constant(ir.VectorType(I32, self.isa.lanes), [0] * self.isa.lanes)
        return b.shuffle_vector(one, ir.Constant(self.vector, ir.Undefined), zeros)

    def _lane_mask(self) -> ir.Value:
        """Which lanes of the tile's last vector exist in the caller's arrays."""
        b, lanes = self.builder, self.isa.lanes
        valid = b.trunc(self._word(self.lanes_word), I32)
        kind = ir.VectorType(I32, lanes)
        spread = b.insert_element(ir.Constant(kind, ir.Undefined), valid, ir.Constant(I32, 0))
        zeros = ir.Constant(kind, [0] * lanes)
        spread = b.shuffle_vector(spread, ir.Constant(kind, ir.Undefined), zeros)
        return b.icmp_signed("<", ir.Constant(kind, list(range(lanes))), spread)

    def _intrinsic(self, name: str, kind: ir.FunctionType) -> ir.Function:
        module = self.function.module
        found = module.globals.get(name)
        return found if found is not None else ir.Function(module, kind, name)

    def _suffix(self) -> str:
        return f"v{self.isa.lanes}{self.isa.element}"

    def _load(self, address: ir.Value, masked: bool) -> ir.Value:
        pointer = self._pointer(address, self.vector)
        if not masked:
            return self.builder.load(pointer, align=self.isa.size)
        mask = ir.VectorType(ir.IntType(1), self.isa.lanes)
        kind = ir.FunctionType(self.vector, [pointer.type, I32, mask, self.vector])
        load = self._intrinsic(f"llvm.masked.load.{self._suffix()}.p0", kind)
        zeros = ir.Constant(self.vector, [0.0] * self.isa.lanes)
        return self.builder.call(load, [pointer, ir.Constant(I32, self.isa.size), self.mask, zeros])

    def _store(self, value: ir.Value, address: ir.Value, masked: bool) -> None:
        pointer = self._pointer(address, self.vector)
        if not masked:
            self.builder.store(value, pointer, align=self.isa.size)
            return
        mask = ir.VectorType(ir.IntType(1), self.isa.lanes)
        kind = ir.FunctionType(VOID, [self.vector, pointer.type, I32, mask])
        store = self._intrinsic(f"llvm.masked.store.{self._suffix()}.p0", kind)
        self.builder.call(store, [value, pointer, ir.Constant(I32, self.isa.size), self.mask])

    def _prefetch(self, address: ir.Value) -> None:
        """Into the innermost cache, to be read and written."""
        pointer = self._pointer(address, ir.IntType(8))
        kind = ir.FunctionType(VOID, [pointer.type, I32, I32, I32])
        write, near, data = (ir.Constant(I32, value) for value in (1, 3, 1))
        self.builder.call(self._intrinsic("llvm.prefetch.p0", kind), [pointer, write, near, data])

    def _fma(self, a: ir.Value, b: ir.Value, c: ir.Value) -> ir.Value:
        if not self.isa.fma:
            return self.builder.fadd(self.builder.fmul(a, b), c)
        kind = ir.FunctionType(self.vector, [self.vector] * 3)
        return self.builder.call(self._intrinsic(f"llvm.fma.{self._suffix()}", kind), [a, b, c])

    def _is_zero(self, word: int) -> ir.Value:
        return self.builder.icmp_signed("==", self._word(word), ir.Constant(I64, 0))

    def _when(self, condition: ir.Value, then, otherwise) -> None:
        taken = self.builder.icmp_signed("!=", condition, ir.Constant(I64, 0))
        with self.builder.if_else(taken) as (yes, no):
            with yes:
                then()
            with no:
                otherwise()

    def _loop(self, name: str, count: ir.Value, steps: list[tuple[ir.Value, ir.Value]], body):
        """Call `body(*cursors)` `count` times; cursor i starts and advances as `steps[i]` says."""
        b = self.builder
        before = b.block
        head, inside, after = (b.append_basic_block(name + s) for s in ("", ".body", ".end"))
        b.branch(head)
        b.position_at_end(head)
        left = b.phi(I64)
        cursors = [b.phi(I64) for _ in steps]
        b.cbranch(b.icmp_signed(">", left, ir.Constant(I64, 0)), inside, after)
        b.position_at_end(inside)
        body(*cursors)
        moved = [b.add(c, step) for c, (_, step) in zip(cursors, steps, strict=True)]
        fewer = b.sub(left, ir.Constant(I64, 1))
        left.add_incoming(count, before)
        left.add_incoming(fewer, b.block)
        for cursor, (start, _), following in zip(cursors, steps, moved, strict=True):
            cursor.add_incoming(start, before)
            cursor.add_incoming(following, b.block)
        b.branch(head)
        b.position_at_end(after)


def internal_function(module: ir.Module, name: str) -> tuple[ir.Function, bool]:
    """A function of an argument block by its name, and whether it is still to be written."""
    found = module.globals.get(name)
    if found is not None:
        return found, False
    function = ir.Function(module, TILE, name)
    function.linkage = "internal"
    function.attributes.add("noinline")
    return function, True
