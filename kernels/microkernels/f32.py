"""The float32 microkernels as C functions `void(int64 mr or kernel, int64 nv, int64 args)`.

Each family is one compiled unit, cached on disk by numba, whose address goes into the tables that
tasks read; drivers for every primitive share it. `emit`, `gemv` and `rows` say what they compute
and how the argument block is laid out.
"""

from __future__ import annotations

from numba import types
from numba.extending import intrinsic

from ..compiling import c_function
from . import emit, gemv, isa, rows

_I64 = types.int64
SIGNATURE = types.void(_I64, _I64, _I64)


@intrinsic
def _gemm_tile(typingctx, mr, nv, args):
    def codegen(context, builder, signature, values):
        emit.emit_switch(builder, isa.current(), *values, depthwise=False)
        return context.get_dummy_value()

    return SIGNATURE, codegen


@intrinsic
def _depthwise_tile(typingctx, mr, nv, args):
    def codegen(context, builder, signature, values):
        emit.emit_switch(builder, isa.current(), *values, depthwise=True)
        return context.get_dummy_value()

    return SIGNATURE, codegen


@intrinsic
def _gemv_rows(typingctx, mr, args):
    def codegen(context, builder, signature, values):
        gemv.emit_switch(builder, isa.current(), *values)
        return context.get_dummy_value()

    return types.void(_I64, _I64), codegen


@intrinsic
def _row(typingctx, what, args):
    def codegen(context, builder, signature, values):
        rows.emit_switch(builder, isa.current(), *values)
        return context.get_dummy_value()

    return types.void(_I64, _I64), codegen


@c_function("float32 GEMM microkernels", SIGNATURE)
def gemm_tiles(mr, nv, args):
    """The family that broadcasts one element of A a row: GEMM and dense convolution."""
    _gemm_tile(mr, nv, args)


@c_function("float32 depthwise microkernels", SIGNATURE)
def depthwise_tiles(mr, nv, args):
    """The family that loads one vector of A a row: depthwise convolution."""
    _depthwise_tile(mr, nv, args)


@c_function("float32 GEMV kernels", SIGNATURE)
def gemv_rows(mr, _, args):
    """Few rows times a B in place; see `gemv`."""
    _gemv_rows(mr, args)


@c_function("float32 row kernels", SIGNATURE)
def row_kernels(what, _, args):
    """Arithmetic, softmax and copies of rows; see `rows`."""
    _row(what, args)
