"""parallel_reduce and parallel_scan for compiled bodies.

Items are cut into chunks by their number and an explicit grain alone. Every chunk starts from
`init`, and partial results are combined in the order of the chunks, so neither the pool nor the
number of threads can change a bit of the result.
"""

from __future__ import annotations

from typing import Any

from numba import njit
from numba.core import types
from numba.core.errors import TypingError
from numba.core.imputils import impl_ret_new_ref
from numba.cpython.listobj import ListInstance
from numba.extending import intrinsic

from .bodies import resolve
from .chunk_size import chunk_size
from .identity import identify
from .options import NOT_GIVEN, SCHEDULES
from .regions import RANGE_NUMBERS, run_loop

_DYNAMIC = SCHEDULES["dynamic"]
_size_of = njit(chunk_size)


@intrinsic
def _empty_slots(typing_context, count, body, init, args):  # type: ignore[no-untyped-def]
    """A list of `count` results of a body, each to be assigned before it is read."""
    resolved = resolve(typing_context, "body", body, (*RANGE_NUMBERS, init, *args))
    result = types.unliteral(resolved.signature.return_type)
    if isinstance(result, types.NoneType):
        raise TypingError("body must return the partial result of its range, not None")

    def codegen(context, builder, signature, values):  # type: ignore[no-untyped-def]
        slots = ListInstance.allocate(context, builder, signature.return_type, values[0])
        slots.size = values[0]
        # A reference that is no reference yet must be null, which assignment can release.
        slots.zfill(context.get_constant(types.intp, 0), values[0])
        return impl_ret_new_ref(context, builder, signature.return_type, slots.value)

    return types.List(result)(types.int64, body, init, args), codegen


def _checked_count() -> Any:
    def count(n, grain):  # type: ignore[no-untyped-def]
        if n < 0:
            raise ValueError("n must be at least 0")
        if grain < 1 and grain != NOT_GIVEN:
            raise ValueError("grain must be at least 1")
        size = _size_of(n) if grain == NOT_GIVEN else min(grain, max(n, 1))
        return size, n // size + (n % size != 0)

    return njit(count)


_size_and_count = _checked_count()


def _filling(body: Any, bodies: tuple[Any, ...]) -> Any:
    """Partial results of chunks, each started from `init`."""

    def fill(first, last, partials, n, size, init, args):  # type: ignore[no-untyped-def]
        for chunk in range(first, last):
            begin = chunk * size
            partials[chunk] = body(begin, begin + min(size, n - begin), init, *args)

    return njit(identify(fill, "fill", bodies))


def reducing(body: Any, combine: Any) -> Any:
    """A compiled function `reduce(n, grain, init, args)`."""
    fill = _filling(body, (body, combine))

    def reduce(n, grain, init, args):  # type: ignore[no-untyped-def]
        size, count = _size_and_count(n, grain)
        if count == 0:
            return init
        partials = _empty_slots(count, body, init, args)
        run_loop(count, NOT_GIVEN, _DYNAMIC, NOT_GIVEN, 0.0, fill, (partials, n, size, init, args))
        result = partials[0]
        for chunk in range(1, count):
            result = combine(result, partials[chunk])
        return result

    return njit(identify(reduce, "reduce", (body, combine)))


def _finishing(body: Any, bodies: tuple[Any, ...]) -> Any:
    """Chunks once more, each started from what came before it."""

    def finish(first, last, partials, carries, n, size, args):  # type: ignore[no-untyped-def]
        for chunk in range(first, last):
            begin = chunk * size
            partials[chunk] = body(begin, begin + min(size, n - begin), carries[chunk], *args)

    return njit(identify(finish, "finish", bodies))


def scanning(body: Any, combine: Any, total: Any) -> Any:
    """A compiled function `scan(n, grain, init, args)`."""
    bodies = (body, combine, total)
    fill, finish = _filling(total, bodies), _finishing(body, bodies)

    def scan(n, grain, init, args):  # type: ignore[no-untyped-def]
        size, count = _size_and_count(n, grain)
        if count == 0:
            return init
        partials = _empty_slots(count, body, init, args)
        # The last chunk's total is not needed before its own second pass.
        run_loop(count - 1, NOT_GIVEN, _DYNAMIC, NOT_GIVEN, 0.0, fill,
                 (partials, n, size, init, args))
        carries = _empty_slots(count, body, init, args)
        carries[0] = init
        for chunk in range(1, count):
            carries[chunk] = combine(carries[chunk - 1], partials[chunk - 1])
        run_loop(count, NOT_GIVEN, _DYNAMIC, NOT_GIVEN, 0.0, finish,
                 (partials, carries, n, size, args))
        return partials[count - 1]

    return njit(identify(scan, "scan", bodies))
