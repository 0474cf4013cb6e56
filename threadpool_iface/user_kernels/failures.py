"""The exceptions that a region of compiled code ends with, other than what its body raised.

The extension's glue calls these and leaves what they raise set in the calling thread, from where
numba takes it. It gets numbers only, so wrong ones are found by the checks that Python callers
meet.
"""

from __future__ import annotations

from typing import NoReturn

from ..active import get_threadpool
from ..arguments import checked_int
from ..errors import ThreadpoolError, check
from ..native import lib
from ..region import MAX_TASKS
from .options import check_numbers


def raise_code(code: int, is_loop: int, n: int, grain: int, max_num_threads: int) -> None:
    """Raise what a negative code of a region stands for."""
    if code == lib.TPI_E_INVALID:
        if is_loop:
            check_numbers(n, grain, max_num_threads)
        else:
            checked_int(n, "nthr", 0, MAX_TASKS)
    check(code, get_threadpool())


def raise_lost() -> NoReturn:
    """A body failed in Python code of its own, on a thread that Python no longer knows."""
    raise ThreadpoolError(
        "a body failed in Python code that it ran on a worker (objmode, or a refused argument of a "
        "nested region); the exception ended with that thread's Python state"
    )
