"""The float64 microkernels as C functions; `f32` has the others."""

from __future__ import annotations

from numba import types
from numba.extending import intrinsic

from ..compiling import c_function
from . import emit, gemv, isa, rows
from .f32 import SIGNATURE

_I64 = types.int64


@intrinsic
def _gemm_tile(typingctx, mr, nv, args):
    def codegen(context, builder, signature, values):
        emit.emit_switch(builder, isa.current("f64"), *values, depthwise=False)
        return context.get_dummy_value()

    return SIGNATURE, codegen


@intrinsic
def _gemv_rows(typingctx, mr, args):
    def codegen(context, builder, signature, values):
        gemv.emit_switch(builder, isa.current("f64"), *values)
        return context.get_dummy_value()

    return types.void(_I64, _I64), codegen


@intrinsic
def _row(typingctx, what, args):
    def codegen(context, builder, signature, values):
        rows.emit_switch(builder, isa.current("f64"), *values)
        return context.get_dummy_value()

    return types.void(_I64, _I64), codegen


@c_function("float64 GEMM microkernels", SIGNATURE)
def gemm_tiles(mr, nv, args):
    """GEMM."""
    _gemm_tile(mr, nv, args)


@c_function("float64 GEMV kernels", SIGNATURE)
def gemv_rows(mr, _, args):
    """Few rows times a B in place."""
    _gemv_rows(mr, args)


@c_function("float64 row kernels", SIGNATURE)
def row_kernels(what, _, args):
    """Arithmetic and copies of rows."""
    _row(what, args)
