"""What a region's failure becomes when generated code, which cannot fail, started it."""

from __future__ import annotations

import sys
from types import SimpleNamespace

from ..active import get_threadpool
from ..errors import check


def carrier_for(code: int) -> type[BaseException] | None:
    """A class whose making gives the exception: PyThreadState_SetAsyncExc takes no instances.

    None where nothing is left to raise it in: no Python code called the compiled function. Then it
    is reported as unraisable, like an exception in a destructor.
    """
    try:
        check(code, get_threadpool())
    except BaseException as caught:
        error = caught.with_traceback(None)
    error.add_note("raised by a parallel loop of numba, which was completed by its calling thread")
    if sys._getframe().f_back is None:
        sys.unraisablehook(SimpleNamespace(
            exc_type=type(error), exc_value=error, exc_traceback=None,
            err_msg="Exception ignored in a parallel loop of numba", object=None,
        ))
        return None

    class Carrier(BaseException):
        def __new__(cls) -> BaseException:  # type: ignore[misc]
            return error

    return Carrier
