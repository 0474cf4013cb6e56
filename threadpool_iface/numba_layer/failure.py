"""What a region's failure becomes when generated code, which cannot fail, started it."""

from __future__ import annotations

import sys
from types import SimpleNamespace

from ..active import get_threadpool
from ..errors import check, mention

_NOTE = "raised by a parallel loop of numba, which was completed by its calling thread"


def carrier_for(code: int) -> type[BaseException] | None:
    """The carrier of the exception that a code of the C core stands for."""
    try:
        check(code, get_threadpool())
    except BaseException as caught:
        error = caught.with_traceback(None)
    mention(error, _NOTE)
    return carrier_of(error)


def carrier_of(error: BaseException) -> type[BaseException] | None:
    """A class whose making gives the exception: PyThreadState_SetAsyncExc takes no instances.

    None where nothing is left to raise it in: no Python code called the compiled function. Then it
    is reported as unraisable, like an exception in a destructor.
    """
    if _python_code_waits():
        return _carrier(error)
    sys.unraisablehook(SimpleNamespace(
        exc_type=type(error), exc_value=error, exc_traceback=None,
        err_msg="Exception ignored in a parallel loop of numba", object=None,
    ))
    return None


def _python_code_waits() -> bool:
    """Whether Python code called the compiled function: a frame that is not of this module."""
    frame = sys._getframe()
    while frame.f_back is not None and frame.f_globals is globals():
        frame = frame.f_back
    return frame.f_globals is not globals()


def _carrier(error: BaseException) -> type[BaseException]:
    class Carrier(BaseException):
        def __new__(cls) -> BaseException:  # type: ignore[misc]
            return error

    return Carrier
