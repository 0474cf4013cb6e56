"""The self-test of a layer that was installed while numba could not compile anything.

numba starts its extensions when it fills the contexts that it types and lowers functions in, and
that can be in the middle: if the first thing that a process compiles is a `@vectorize`, attributes
of arrays are not there yet. So the test waits until numba's `_launch_threads` is called. Everything
parallel calls that before it is linked, compiled or from a cache.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from ..active import in_parallel


def contexts_are_being_filled() -> bool:
    """Whether numba is filling a typing context, further out on this thread."""
    from numba.core.typing.context import BaseContext

    filling = BaseContext.install_registry.__code__
    frame = sys._getframe()
    while frame.f_back is not None and frame.f_code is not filling:
        frame = frame.f_back
    return frame.f_code is filling


def test_at_next_launch(parallel: Any, test: Callable[[], None]) -> None:
    """Call `test` once, when numba next asks for its layer and can compile.

    One that is interrupted is called again the next time.
    """
    launch = _stock(parallel)
    waiting = [test]

    def _launch_threads() -> None:
        launch()
        if not waiting or in_parallel() or contexts_are_being_filled():
            return
        try:
            taken = waiting.pop()
        except IndexError:  # by another thread
            return
        try:
            taken()
        except BaseException:
            waiting.append(taken)
            raise
        forget_test(parallel)

    _launch_threads.stock = launch  # type: ignore[attr-defined]
    parallel._launch_threads = _launch_threads


def forget_test(parallel: Any) -> None:
    """Give numba its own function back."""
    parallel._launch_threads = _stock(parallel)


def _stock(parallel: Any) -> Any:
    return getattr(parallel._launch_threads, "stock", parallel._launch_threads)
