"""Reductions of vectors over a table of addresses: what pooling is made of.

    max       target[c] = max over i of table[i][c]; NaN wins
    average   target[c] = (sum over i of table[i][c], in the order of i) / divisor
"""

from __future__ import annotations

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from ..compiling import c_function
from . import isa
from .vectors import F32, I64, Emitter, internal_function

MAX, AVERAGE = 0, 1

# The argument block: a table of COUNT addresses, where results go, whole vectors of channels, lanes
# of one more, and what an average is divided by.
(TABLE, COUNT, TARGET, VECTORS, TAIL, DIVISOR) = range(6)
ARGS_WORDS = 6


class _Reduction(Emitter):
    lanes_word = TAIL

    def emit(self, mode: int) -> None:
        self.mode, self.cell = mode, self._alloca(self.vector)
        self.mask = self._lane_mask()
        zero, step = ir.Constant(I64, 0), ir.Constant(I64, 4 * self.isa.lanes)
        vectors = self._word(VECTORS)
        self._loop("c", vectors, [(zero, step)], lambda offset: self._channels(offset, False))
        with self.builder.if_then(self.builder.icmp_signed("!=", self._word(TAIL), zero)):
            self._channels(self.builder.mul(vectors, step), True)
        self.builder.ret_void()

    def _channels(self, offset: ir.Value, masked: bool) -> None:
        b, entry_size = self.builder, ir.Constant(I64, 8)
        start = 0.0 if self.mode == AVERAGE else float("-inf")
        b.store(ir.Constant(self.vector, [start] * self.isa.lanes), self.cell)

        def take(entry: ir.Value) -> None:
            value = self._load(self._add(self._load_word(entry, 0), offset), masked)
            b.store(self._combined(b.load(self.cell), value), self.cell)

        self._loop("tap", self._word(COUNT), [(self._word(TABLE), entry_size)], take)
        result = b.load(self.cell)
        if self.mode == AVERAGE:
            result = b.fdiv(result, self._splat(b.sitofp(self._word(DIVISOR), F32)))
        self._store(result, self._add(self._word(TARGET), offset), masked)

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
