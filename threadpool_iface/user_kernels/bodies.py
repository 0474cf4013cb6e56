"""A body in its compiled form: an njit function, resolved for the types that it is called with.

Types are resolved as numba resolves a plain call, so defaults, `*args` and explicit signatures work
as they do there. Only the call itself is written here: numba's own would return to a caller, while
a task has to look at the status and keep it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from numba.core import cgutils, types
from numba.core.errors import TypingError
from numba.core.typing.templates import fold_arguments


@dataclass(frozen=True)
class Body:
    """A compiled body.

    Attributes
    ----------
    signature : numba Signature
        What it was compiled for: first the types that the library passes, then the caller's.
    compiled : numba CompileResult
    """

    signature: Any
    compiled: Any

    def call(self, context: Any, builder: Any, kinds: Any, values: Any) -> tuple[Any, Any]:
        """Emit a call with `values` of the types `kinds`; returns status and result."""
        folded = self._folded(context, builder, kinds, values)
        context.add_linking_libs((self.compiled.library,))
        description = self.compiled.fndesc
        function = context.declare_function(builder.module, description)
        return context.call_conv.call_function(  # type: ignore[no-any-return]
            builder, function, description.restype, description.argtypes, folded
        )

    def _folded(self, context: Any, builder: Any, kinds: Any, values: Any) -> Any:
        wanted = self.signature.args

        def given(index: int, parameter: Any, pair: Any) -> Any:
            return context.cast(builder, pair[1], pair[0], wanted[index])

        def default(index: int, parameter: Any, value: Any) -> Any:
            return context.get_constant_generic(builder, wanted[index], value)

        def rest(index: int, parameter: Any, pairs: Any) -> Any:
            cast = [context.cast(builder, value, kind, want)
                    for (kind, value), want in zip(pairs, wanted[index], strict=True)]
            return cgutils.make_anonymous_struct(builder, cast)

        pairs = tuple(zip(kinds, values, strict=True))
        return fold_arguments(self.signature.pysig, pairs, {}, given, default, rest)


def resolve(typing_context: Any, name: str, kind: Any, arguments: tuple[Any, ...]) -> Body:
    """The function of type `kind`, given as the argument `name`, compiled for `arguments`.

    Raises
    ------
    TypingError
        It is not an njit function, or does not compile for these types.
    """
    if isinstance(kind, types.RecursiveCall):
        raise TypingError(f"{name} must not start a region of itself, which cannot be compiled")
    if not isinstance(kind, types.Dispatcher):
        raise TypingError(f"{name} must be a function compiled with @njit, not {kind}")
    signature = kind.get_call_type(typing_context, arguments, {})
    if signature is None:
        raise TypingError(f"{name} has no compiled signature for {arguments}")
    return Body(signature, kind.dispatcher.overloads[signature.args])
