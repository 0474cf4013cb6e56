"""Reductions of vectors over a table of addresses: what pooling is made of.

    max       target[c] = max over i of table[i][c]; NaN wins
    average   target[c] = (sum over i of table[i][c]) / divisor

A sum of more than BLOCK values is a sum of sums of BLOCK blocks, each the sum of BLOCK values, so
that rounding errors hardly grow with its length.
"""

from __future__ import annotations

from collections.abc import Callable

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from ..compiling import c_function
from . import isa
from .vectors import F32, I64, Emitter, internal_function

MAX, AVERAGE = 0, 1
BLOCK = 64

# The argument block: a table of COUNT addresses, where results go, whole vectors of channels, lanes
# of one more, and what an average is divided by.
(TABLE, COUNT, TARGET, VECTORS, TAIL, DIVISOR) = range(6)
ARGS_WORDS = 6


class _Reduction(Emitter):
    lanes_word = TAIL

    def emit(self, mode: int) -> None:
        self.mode, self.cell = mode, self._alloca(self.vector)
        self.block, self.blocks = self._alloca(self.vector), self._alloca(self.vector)
        self.mask = self._lane_mask()
        table, count = self._word(TABLE), self._word(COUNT)
        if mode == MAX:
            self._all_channels(lambda *at: self._take(table, count, *at))
        else:
            few = self.builder.icmp_signed("<=", count, ir.Constant(I64, BLOCK))
            with self.builder.if_else(few) as (short, long):
                with short:
                    self._all_channels(lambda *at: self._take(table, count, *at))
                with long:
                    self._all_channels(lambda *at: self._take_blocks(table, count, *at))
        self.builder.ret_void()

    def _all_channels(self, take: Callable[[ir.Value, bool], None]) -> None:
        zero, step = ir.Constant(I64, 0), ir.Constant(I64, 4 * self.isa.lanes)
        vectors = self._word(VECTORS)
        self._loop("c", vectors, [(zero, step)], lambda offset: self._channels(take, offset, False))
        with self.builder.if_then(self.builder.icmp_signed("!=", self._word(TAIL), zero)):
            self._channels(take, self.builder.mul(vectors, step), True)

    def _channels(
        self, take: Callable[[ir.Value, bool], None], offset: ir.Value, masked: bool
    ) -> None:
        b = self.builder
        self._set(self.cell, 0.0 if self.mode == AVERAGE else float("-inf"))
        take(offset, masked)
        result = b.load(self.cell)
        if self.mode == AVERAGE:
            result = b.fdiv(result, self._splat(b.sitofp(self._word(DIVISOR), F32)))
        self._store(result, self._add(self._word(TARGET), offset), masked)

    def _set(self, cell: ir.Value, value: float) -> None:
        self.builder.store(ir.Constant(self.vector, [value] * self.isa.lanes), cell)

    def _take(
        self, table: ir.Value, count: ir.Value, offset: ir.Value, masked: bool
    ) -> None:
        """Combine `count` values into the cell."""
        b = self.builder

        def one(entry: ir.Value) -> None:
            value = self._load(self._add(self._load_word(entry, 0), offset), masked)
            b.store(self._combined(b.load(self.cell), value), self.cell)

        self._loop("tap", count, [(table, ir.Constant(I64, 8))], one)

    def _take_blocks(
        self, table: ir.Value, count: ir.Value, offset: ir.Value, masked: bool
    ) -> None:
        """The same for a long sum."""
        b, size = self.builder, ir.Constant(I64, BLOCK)
        full = b.udiv(count, size)
        self._set(self.block, 0.0)
        self._set(self.blocks, 0.0)

        def one(entry: ir.Value, number: ir.Value) -> None:
            self._take(entry, size, offset, masked)
            self._move(self.cell, self.block)
            last = b.and_(number, ir.Constant(I64, BLOCK - 1))
            with b.if_then(b.icmp_signed("==", last, ir.Constant(I64, BLOCK - 1))):
                self._move(self.block, self.blocks)

        self._loop("block", full, [(table, ir.Constant(I64, 8 * BLOCK)),
                                   (ir.Constant(I64, 0), ir.Constant(I64, 1))], one)
        done = b.mul(full, size)
        self._take(b.add(table, b.mul(done, ir.Constant(I64, 8))), b.sub(count, done), offset,
                   masked)
        self._move(self.block, self.blocks)
        self._move(self.blocks, self.cell)

    def _move(self, cell: ir.Value, total: ir.Value) -> None:
        """Add a sum to one of the next level, and start it anew."""
        b = self.builder
        b.store(b.fadd(b.load(total), b.load(cell)), total)
        self._set(cell, 0.0)

    def _combined(self, held: ir.Value, value: ir.Value) -> ir.Value:
        b = self.builder
        if self.mode == AVERAGE:
            return b.fadd(held, value)
        larger = b.select(b.fcmp_ordered("<", held, value), value, held)
        return b.select(b.fcmp_unordered("uno", value, value), value, larger)


def _emit_call(builder: ir.IRBuilder, args: ir.Value, mode: int) -> None:
    current, name = isa.current(), ("max", "average")[mode]
    function, new = internal_function(builder.module, f"tpi_{name}_f32_{current.name}")
    if new:
        _Reduction(function, current).emit(mode)
    builder.call(function, [args])


_I64 = types.int64
SIGNATURE = types.void(_I64, _I64, _I64)


@intrinsic
def _max(typingctx, args):
    def codegen(context, builder, signature, values):
        _emit_call(builder, values[0], MAX)
        return context.get_dummy_value()

    return types.void(_I64), codegen


@intrinsic
def _average(typingctx, args):
    def codegen(context, builder, signature, values):
        _emit_call(builder, values[0], AVERAGE)
        return context.get_dummy_value()

    return types.void(_I64), codegen


@c_function("float32 reductions", SIGNATURE)
def reduce(mode, _, args):
    """MAX or AVERAGE of the argument block."""
    if mode == 0:
        _max(args)
    else:
        _average(args)
