"""`parallel` and its like, called from other compiled code.

numba's `@overload` cannot do functions with both `*args` and keywords after them, so this is the
layer below: a template that types a call and says how it is lowered. The signatures are those that
Python callers see; wrong types are refused when the caller is compiled, by the names that Python
uses.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.core.errors import TypingError
from numba.core.imputils import lower_builtin
from numba.core.typing.templates import AbstractTemplate, Signature, infer_global, signature

from ..parallel import parallel, parallel_for, parallel_nd, parallel_reduce, parallel_scan
from .bodies import Body, resolve
from .chunks import reducing, scanning
from .options import MAX_DIMS, NOT_GIVEN, SCHEDULES
from .points import walking
from .regions import RANGE_NUMBERS, TASK_NUMBERS, emit_loop, emit_tasks

_I32, _I64, _DOUBLE = ir.IntType(32), ir.IntType(64), ir.DoubleType()


class Call:
    """A call as it is typed: the type of each parameter, `*args` one by one."""

    def __init__(self, function: Callable[..., Any], args: Any, kws: Any) -> None:
        try:
            bound = inspect.signature(function).bind(*args, **kws)
        except TypeError as error:
            raise TypingError(f"{function.__name__}: {error}") from error
        self.types: dict[str, Any] = {}
        self.rest: tuple[str, ...] = ()
        for name, parameter in bound.signature.parameters.items():
            if parameter.kind is parameter.VAR_POSITIONAL:
                extra = bound.arguments.get(name, ())
                self.rest = tuple(f"{name}[{i}]" for i in range(len(extra)))
                self.types.update(zip(self.rest, map(types.unliteral, extra), strict=True))
            else:
                self.types[name] = bound.arguments.get(name, types.Omitted(parameter.default))

    def signature(self, result: Any) -> Signature:
        """With every parameter by position, `*args` one by one."""
        place = inspect.Parameter.POSITIONAL_OR_KEYWORD
        parameters = [
            inspect.Parameter(
                name.replace("[", "_").rstrip("]"), place,
                default=None if isinstance(kind, types.Omitted) else inspect.Parameter.empty,
            )
            for name, kind in self.types.items()
        ]
        return signature(result, *self.types.values()).replace(
            pysig=inspect.Signature(parameters, __validate_parameters__=False)
        )

    def rest_types(self) -> tuple[Any, ...]:
        return tuple(self.types[name] for name in self.rest)

    def integer(self, name: str) -> None:
        if not isinstance(self.types[name], types.Integer):
            raise TypingError(f"{name} must be an integer, not {self.types[name]}")

    def optional_integer(self, name: str) -> None:
        if not _is_none(self.types[name]):
            self.integer(name)

    def function(self, name: str) -> Any:
        kind = self.types[name]
        if not isinstance(kind, types.Dispatcher):
            raise TypingError(f"{name} must be a function compiled with @njit, not {kind}")
        return kind.dispatcher


def _is_none(kind: Any) -> bool:
    omitted = isinstance(kind, types.Omitted) and kind.value is None
    return omitted or isinstance(kind, types.NoneType)


class Values:
    """The values of a call while it is lowered."""

    def __init__(self, context: Any, builder: Any, call: Call, values: Any) -> None:
        self.context, self.builder, self.call = context, builder, call
        self.values = dict(zip(call.types, values, strict=True))

    def cast(self, name: str, kind: Any) -> Any:
        return self.context.cast(self.builder, self.values[name], self.call.types[name], kind)

    def integer(self, name: str) -> Any:
        """As an int64; NOT_GIVEN for None."""
        return _I64(NOT_GIVEN) if _is_none(self.call.types[name]) else self.cast(name, types.int64)

    def rest(self) -> list[Any]:
        return [self.values[name] for name in self.call.rest]

    def rest_tuple(self) -> Any:
        kind = types.Tuple(self.call.rest_types())
        return self.context.make_tuple(self.builder, kind, self.rest())

    def run(self, resolved: Body, kinds: tuple[Any, ...], values: list[Any]) -> Any:
        """Call a compiled function; its failure is the caller's."""
        context, builder = self.context, self.builder
        status, result = resolved.call(context, builder, kinds, values)
        with cgutils.if_unlikely(builder, status.is_error):
            with builder.if_then(status.is_python_exc):
                context.call_conv.return_exc(builder)
            context.call_conv.return_status_propagate(builder, status)
        return result


#: What typing a call gives: the type of its result, and what emits it.
Typed = tuple[Any, Callable[[Values], Any]]


def _parallel(typing_context: Any, call: Call) -> Typed:
    call.integer("nthr")
    kinds = call.rest_types()
    body = resolve(typing_context, "task", call.types["task"], (*TASK_NUMBERS, *kinds))

    def emit(v: Values) -> Any:
        emit_tasks(v.context, v.builder, body, v.integer("nthr"), kinds, v.rest())
        return v.context.get_dummy_value()

    return types.none, emit


def _schedule(call: Call) -> int:
    kind = call.types["schedule"]
    value = None if _is_none(kind) else getattr(kind, "literal_value", kind)
    if value not in SCHEDULES:
        raise TypingError(f'schedule must be "static", "dynamic" or None, known when the caller is '
                          f"compiled, not {value!r}")
    return int(SCHEDULES[value])


def _parallel_for(typing_context: Any, call: Call) -> Typed:
    call.integer("n")
    call.optional_integer("grain")
    call.optional_integer("max_num_threads")
    schedule, has_cost = _schedule(call), not _is_none(call.types["cost"])
    if has_cost and not isinstance(call.types["cost"], (types.Integer, types.Float)):
        raise TypingError(f"cost must be a number of cycles, not {call.types['cost']}")
    if has_cost and not _is_none(call.types["grain"]):
        raise TypingError("give a grain or a cost, not both: the cost is there to choose the grain")
    kinds = call.rest_types()
    body = resolve(typing_context, "body", call.types["body"], (*RANGE_NUMBERS, *kinds))

    def emit(v: Values) -> Any:
        options = [v.integer("n"), v.integer("grain"), _I32(schedule), v.integer("max_num_threads"),
                   v.cast("cost", types.float64) if has_cost else _DOUBLE(0.0)]
        emit_loop(v.context, v.builder, body, options, kinds, v.rest())
        return v.context.get_dummy_value()

    return types.none, emit


def _parallel_nd(typing_context: Any, call: Call) -> Typed:
    dims = call.types["dims"]
    if not (isinstance(dims, types.BaseTuple) and 1 <= len(dims) <= MAX_DIMS
            and all(isinstance(kind, types.Integer) for kind in dims)):
        raise TypingError(f"dims must be a tuple of 1 to {MAX_DIMS} integers, not {dims}")
    extents = types.UniTuple(types.int64, len(dims))
    walk = walking(call.function("body"), len(dims))
    kinds = (extents, types.Tuple(call.rest_types()))
    # numba's type holds its function weakly, so `walk` must outlive this line.
    resolved = resolve(typing_context, "body", types.Dispatcher(walk), kinds)

    def emit(v: Values) -> Any:
        v.run(resolved, kinds, [v.cast("dims", extents), v.rest_tuple()])
        return v.context.get_dummy_value()

    return types.none, emit


def _over_chunks(typing_context: Any, call: Call, function: Any) -> Typed:
    call.integer("n")
    call.optional_integer("grain")
    init = types.unliteral(call.types["init"])
    kinds = (types.int64, types.int64, init, types.Tuple(call.rest_types()))
    resolved = resolve(typing_context, "body", types.Dispatcher(function), kinds)

    def emit(v: Values) -> Any:
        return v.run(resolved, kinds, [v.integer("n"), v.integer("grain"), v.cast("init", init),
                                       v.rest_tuple()])

    return resolved.signature.return_type, emit


def _parallel_reduce(typing_context: Any, call: Call) -> Typed:
    function = reducing(call.function("body"), call.function("combine"))
    return _over_chunks(typing_context, call, function)


def _parallel_scan(typing_context: Any, call: Call) -> Typed:
    body = call.function("body")
    total = body if _is_none(call.types["total"]) else call.function("total")
    return _over_chunks(typing_context, call, scanning(body, call.function("combine"), total))


def _template(function: Callable[..., Any], typed: Callable[[Any, Call], Typed]) -> type:
    seen: dict[Any, Any] = {}
    implementations: dict[Any, Any] = {}

    class RegionCall(AbstractTemplate):  # type: ignore[misc]  # numba is untyped
        key = function
        prefer_literal = True

        def generic(self, args: Any, kws: Any) -> Any:
            # numba types a call many times until its function is typed.
            asked = (self.context, args, tuple(kws.items()))
            if asked not in seen:
                seen[asked] = self._new(Call(function, args, kws))
            return seen[asked]

        def _new(self, call: Call) -> Any:
            result, emit = typed(self.context, call)
            made = call.signature(result)

            def lower(context: Any, builder: Any, sig: Any, values: Any) -> Any:
                return emit(Values(context, builder, call, values))

            lower_builtin(lower, *made.args)(lower)
            implementations[self.context, made.args] = lower
            return made

        def get_impl_key(self, sig: Any) -> Any:
            return implementations[self.context, sig.args]

    return RegionCall


_CALLS: dict[Callable[..., Any], Callable[[Any, Call], Typed]] = {
    parallel: _parallel, parallel_for: _parallel_for, parallel_nd: _parallel_nd,
    parallel_reduce: _parallel_reduce, parallel_scan: _parallel_scan,
}

for _function, _typed in _CALLS.items():
    infer_global(_function, types.Function(_template(_function, _typed)))
