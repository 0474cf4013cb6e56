"""Loops that leave the GIL alone, in functions that do not hold it.

Around every parallel loop numba's generated code takes the GIL and releases it again, to be sure
that it is released: code with `nogil=True` waits there for whichever thread is busy in Python. The
code made here asks first, and releases only a GIL that the thread holds. It calls nothing but
CPython, so what is cached on disk works in any process.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any
from zlib import crc32

from ..errors import UnsupportedError

#: Of the source of numba's build_gufunc_kernel, the same from 0.60 to 0.68.
_KNOWN_SOURCE = 0xce692d9f


class _ReleasesWhatIsHeld:
    """The four functions of numba's Python API that build_gufunc_kernel uses, for its builder."""

    def __init__(self, api: Any) -> None:
        self._api, self._builder = api, api.builder

    def gil_ensure(self) -> None:
        pass

    def save_thread(self) -> Any:
        from llvmlite import ir

        cgutils = _cgutils()
        # Takes the place of the thread state: null where the GIL was not held.
        saved = cgutils.alloca_once_value(self._builder, ir.Constant(self._api.voidptr, None))
        check = self._api._get_function(ir.FunctionType(ir.IntType(32), []), "PyGILState_Check")
        held = self._builder.call(check, [])
        with self._builder.if_then(cgutils.is_not_null(self._builder, held)):
            self._builder.store(self._api.save_thread(), saved)
        return saved

    def restore_thread(self, saved: Any) -> None:
        state = self._builder.load(saved)
        with self._builder.if_then(_cgutils().is_not_null(self._builder, state)):
            self._api.restore_thread(state)

    def gil_release(self, state: None) -> None:
        pass


def _cgutils() -> Any:
    from numba.core import cgutils

    return cgutils


class _Context:
    """numba's context, but for its Python API."""

    def __init__(self, context: Any) -> None:
        self._context = context

    def get_python_api(self, builder: Any) -> _ReleasesWhatIsHeld:
        return _ReleasesWhatIsHeld(self._context.get_python_api(builder))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._context, name)


def _releasing_what_is_held(build: Callable[..., Any]) -> Callable[..., Any]:
    def build_gufunc_kernel(library: Any, ctx: Any, *arguments: Any) -> Any:
        return build(library, _Context(ctx), *arguments)

    build_gufunc_kernel.stock = build  # type: ignore[attr-defined]
    return build_gufunc_kernel


def leave_gil_alone(parallel: Any, wanted: bool) -> None:
    """Have loops compiled from now on take the GIL, as numba's own do, or not.

    Raises
    ------
    UnsupportedError
        numba's code for it is not the one that is known.
    """
    build = getattr(parallel.build_gufunc_kernel, "stock", parallel.build_gufunc_kernel)
    if wanted and crc32(inspect.getsource(build).encode()) != _KNOWN_SOURCE:
        import numba

        raise UnsupportedError(
            f"numba {numba.__version__} has another build_gufunc_kernel than numba 0.60 to 0.68, "
            "so its loops cannot be kept from taking the GIL: install with leave_gil=False"
        )
    parallel.build_gufunc_kernel = _releasing_what_is_held(build) if wanted else build
