"""Regions from compiled code: the task that a pool runs, and how its failure reaches the caller.

The caller puts the body's arguments into a block on its stack. A task is an LLVM function in the
form that the C core takes: it gets the block's address, loads the arguments, and calls the body.
The arguments are borrowed: the caller holds them until the region has ended.

numba functions return a status. The first task that fails writes its own into the block and answers
with a code, on which the core starts no other one; the caller reads the status and returns it, as
if it had called the body itself. So an exception keeps its type and arguments, and no table of
exceptions has to be kept.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.core.callconv import ALLOC_FLAG_IDX, HASH_BUF_IDX, RETCODE_EXC, excinfo_ptr_t
from numba.core.errors import TypingError
from numba.extending import intrinsic

from .bodies import Body, resolve
from .options import NOT_GIVEN

_I1, _I32, _I64, _DOUBLE = ir.IntType(1), ir.IntType(32), ir.IntType(64), ir.DoubleType()
_ADDRESS = ir.IntType(8).as_pointer()
_VOID = ir.VoidType()

TASK = ir.FunctionType(_I32, [_ADDRESS, _I32, _I32])
RANGE_TASK = ir.FunctionType(_I32, [_ADDRESS, _I64, _I64])
_KEEP_ERROR = ir.FunctionType(_ADDRESS, [])
_RAISE_KEPT = ir.FunctionType(_VOID, [_ADDRESS])
_RAISE_CODE = ir.FunctionType(_VOID, [_I32, _I32, _I64, _I64, _I64])
_PARALLEL = ir.FunctionType(_I32, [_I64, TASK.as_pointer(), _ADDRESS])
_FOR = ir.FunctionType(
    _I32, [_I64, _I64, _I32, _I64, _DOUBLE, RANGE_TASK.as_pointer(), _ADDRESS]
)

# Words of the block, before the arguments.
_CLAIMED, _STATUS, _EXCINFO, _ERROR, _ARGUMENTS = range(5)


def _external(builder: Any, kind: ir.FunctionType, name: str) -> Any:
    return cgutils.get_or_insert_function(builder.module, kind, name)


class _Block:
    """What the tasks of one region share: the first failure, and the body's arguments."""

    def __init__(self, context: Any, kinds: tuple[Any, ...]) -> None:
        words = [_I32, _I32, excinfo_ptr_t, _ADDRESS, *map(context.get_value_type, kinds)]
        self.type = ir.LiteralStructType(words)

    def fill(self, builder: Any, values: Any) -> Any:
        """A block on the caller's stack; returns its address."""
        block = cgutils.alloca_once(builder, self.type)
        builder.store(_I32(0), self.word(builder, block, _CLAIMED))
        for i, value in enumerate(values):
            builder.store(value, self.word(builder, block, _ARGUMENTS + i))
        return block

    def arguments(self, builder: Any, block: Any) -> list[Any]:
        count = len(self.type.elements) - _ARGUMENTS
        return [self.load(builder, block, _ARGUMENTS + i) for i in range(count)]

    def word(self, builder: Any, block: Any, index: int) -> Any:
        return cgutils.gep_inbounds(builder, block, 0, index)

    def load(self, builder: Any, block: Any, index: int) -> Any:
        return builder.load(self.word(builder, block, index))


def _free_exception(context: Any, builder: Any, status: Any) -> None:
    """Free what an exception with run-time arguments allocated; nobody will raise it."""
    with builder.if_then(status.is_user_exc):
        info = status.excinfoptr
        allocated = builder.load(cgutils.gep_inbounds(builder, info, 0, ALLOC_FLAG_IDX))
        with builder.if_then(builder.icmp_signed(">", allocated, _I32(0))):
            values = builder.load(cgutils.gep_inbounds(builder, info, 0, HASH_BUF_IDX))
            context.nrt.free(builder, values)
            context.nrt.free(builder, builder.bitcast(info, _ADDRESS))


def _keep_failure(context: Any, builder: Any, layout: _Block, block: Any, status: Any) -> None:
    """Write a failed status into the block, if it is the first."""
    claim = builder.cmpxchg(layout.word(builder, block, _CLAIMED), _I32(0), _I32(1), "monotonic")
    with builder.if_else(builder.extract_value(claim, 1)) as (first, later):
        with first:
            builder.store(status.code, layout.word(builder, block, _STATUS))
            builder.store(status.excinfoptr, layout.word(builder, block, _EXCINFO))
            with builder.if_then(status.is_python_exc):
                keep = _external(builder, _KEEP_ERROR, "tpi_nopython_keep_error")
                builder.store(builder.call(keep, []), layout.word(builder, block, _ERROR))
        with later:
            _free_exception(context, builder, status)


def _emit_task(
    context: Any, caller: Any, kind: ir.FunctionType, layout: _Block, body: Body,
    kinds: tuple[Any, ...], leading: tuple[Any, ...],
) -> Any:
    """The task: `body(*the two numbers it is given, *what the block holds)`."""
    name = caller.module.get_unique_name("threadpool_iface.task")
    task = ir.Function(caller.module, kind, name)
    task.linkage = "internal"
    builder = ir.IRBuilder(task.append_basic_block("entry"))
    block = builder.bitcast(task.args[0], layout.type.as_pointer())
    values = [*task.args[1:], *layout.arguments(builder, block)]
    status, result = body.call(context, builder, (*leading, *kinds), values)
    with cgutils.if_unlikely(builder, status.is_error):
        _keep_failure(context, builder, layout, block, status)
        builder.ret(_I32(1))
    context.nrt.decref(builder, body.signature.return_type, result)
    builder.ret(_I32(0))
    return task


def _return_failure(
    context: Any, builder: Any, layout: _Block, block: Any, code: Any, numbers: list[Any]
) -> None:
    """Leave the calling function with the exception that the region ended with."""
    with builder.if_then(builder.icmp_signed("<", code, _I32(0))):
        raise_code = _external(builder, _RAISE_CODE, "tpi_nopython_raise_code")
        builder.call(raise_code, [code, *numbers])
        context.call_conv.return_exc(builder)
    failed = layout.load(builder, block, _STATUS)
    with builder.if_then(builder.icmp_signed("==", failed, RETCODE_EXC)):
        raise_kept = _external(builder, _RAISE_KEPT, "tpi_nopython_raise_kept")
        builder.call(raise_kept, [layout.load(builder, block, _ERROR)])
        context.call_conv.return_exc(builder)
    info = layout.load(builder, block, _EXCINFO)
    status = context.call_conv._get_return_status(builder, failed, info)
    context.call_conv.return_status_propagate(builder, status)


def _emit_region(
    context: Any, builder: Any, kind: ir.FunctionType, body: Body, leading: tuple[Any, ...],
    kinds: tuple[Any, ...], values: Any, run: Callable[[Any, Any], Any], numbers: list[Any],
) -> None:
    """A region at the builder's place: `run(task, block)` emits the call that runs it."""
    layout = _Block(context, kinds)
    task = _emit_task(context, builder, kind, layout, body, kinds, leading)
    block = layout.fill(builder, values)
    code = run(task, builder.bitcast(block, _ADDRESS))
    with cgutils.if_unlikely(builder, builder.icmp_signed("!=", code, _I32(0))):
        _return_failure(context, builder, layout, block, code, numbers)


TASK_NUMBERS = (types.int32, types.int32)
RANGE_NUMBERS = (types.int64, types.int64)


def emit_tasks(
    context: Any, builder: Any, body: Body, nthr: Any, kinds: tuple[Any, ...], values: Any
) -> None:
    """`body(ithr, nthr, *values)` for each task; `nthr` is an int64."""

    def run(task: Any, block: Any) -> Any:
        return builder.call(
            _external(builder, _PARALLEL, "tpi_nopython_parallel"), [nthr, task, block]
        )

    numbers = [_I32(0), nthr, _I64(NOT_GIVEN), _I64(NOT_GIVEN)]
    _emit_region(context, builder, TASK, body, TASK_NUMBERS, kinds, values, run, numbers)


def emit_loop(
    context: Any, builder: Any, body: Body, options: list[Any], kinds: tuple[Any, ...], values: Any
) -> None:
    """`body(begin, end, *values)` for each range; `options` are what `tpi_for` takes first."""
    n, grain, _, most, _ = options

    def run(task: Any, block: Any) -> Any:
        return builder.call(
            _external(builder, _FOR, "tpi_nopython_for"), [*options, task, block]
        )

    numbers = [_I32(1), n, grain, most]
    _emit_region(context, builder, RANGE_TASK, body, RANGE_NUMBERS, kinds, values, run, numbers)


def _members(context: Any, builder: Any, kind: Any, value: Any) -> tuple[tuple[Any, ...], Any]:
    """Types and values of what a tuple holds."""
    if not isinstance(kind, types.BaseTuple):
        raise TypingError(f"args must be a tuple, not {kind}")
    return tuple(kind), cgutils.unpack_tuple(builder, value, len(kind))


@intrinsic
def run_tasks(typing_context, nthr, body, args):  # type: ignore[no-untyped-def]
    """`body(ithr, nthr, *args)` for ithr in range(nthr), as a region."""
    resolved = resolve(typing_context, "task", body, (*TASK_NUMBERS, *args))

    def codegen(context, builder, signature, values):  # type: ignore[no-untyped-def]
        kinds, members = _members(context, builder, args, values[2])
        emit_tasks(context, builder, resolved, values[0], kinds, members)
        return context.get_dummy_value()

    return types.void(types.int64, body, args), codegen


@intrinsic
def run_loop(  # type: ignore[no-untyped-def]
    typing_context, n, grain, schedule, most, cost, body, args
):
    """`body(begin, end, *args)` for ranges of n items; numbers as `tpi_for` takes them."""
    resolved = resolve(typing_context, "body", body, (*RANGE_NUMBERS, *args))

    def codegen(context, builder, signature, values):  # type: ignore[no-untyped-def]
        kinds, members = _members(context, builder, args, values[6])
        emit_loop(context, builder, resolved, list(values[:5]), kinds, members)
        return context.get_dummy_value()

    i64 = types.int64
    return types.void(i64, i64, types.int32, i64, types.float64, body, args), codegen
