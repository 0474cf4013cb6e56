"""Loads, stores and calls through plain integer addresses, for nopython code.

Drivers keep every pointer as an int64 address: strides of any array can be added to it, it fits
the tables that tasks read, and no array header is built in an inner loop.
"""

from __future__ import annotations

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

_I64 = ir.IntType(64)


def _pointer(builder: ir.IRBuilder, address: ir.Value, pointee: ir.Type) -> ir.Value:
    return builder.inttoptr(address, pointee.as_pointer())


@intrinsic
def load_i64(typingctx, address):
    """The int64 at `address`, as `int64(int64)`."""

    def codegen(context, builder, signature, args):
        return builder.load(_pointer(builder, args[0], _I64), align=8)

    return types.int64(types.int64), codegen


@intrinsic
def store_i64(typingctx, address, value):
    """Write the int64 `value` at `address`."""

    def codegen(context, builder, signature, args):
        builder.store(args[1], _pointer(builder, args[0], _I64), align=8)
        return context.get_dummy_value()

    return types.void(types.int64, types.int64), codegen


@intrinsic
def load_f32(typingctx, address):
    """The float32 at `address`, which need only be aligned to its size."""

    def codegen(context, builder, signature, args):
        return builder.load(_pointer(builder, args[0], ir.FloatType()), align=4)

    return types.float32(types.int64), codegen


@intrinsic
def store_f32(typingctx, address, value):
    """Write the float32 `value` at `address`."""

    def codegen(context, builder, signature, args):
        builder.store(args[1], _pointer(builder, args[0], ir.FloatType()), align=4)
        return context.get_dummy_value()

    return types.void(types.int64, types.float32), codegen


@intrinsic
def call_microkernel(typingctx, function, mr, nv, args):
    """Call the `void(int64 mr, int64 nv, int64 args)` at the address `function`."""

    def codegen(context, builder, signature, values):
        kind = ir.FunctionType(ir.VoidType(), [_I64, _I64, _I64])
        builder.call(_pointer(builder, values[0], kind), list(values[1:]))
        return context.get_dummy_value()

    i64 = types.int64
    return types.void(i64, i64, i64, i64), codegen
