"""PyTorch's modes of a thread, carried to the threads that run what it calls.

`torch.no_grad()`, `torch.inference_mode()` and `torch.autocast("cpu")` hold for the thread that
enters them. A function that `Task` or `MultiStream` calls runs in another thread, and is to compute
there what it would compute in the caller. PyTorch is never imported here: where the program has not
imported it, there is nothing to carry.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any, NamedTuple, ParamSpec, TypeVar

_P = ParamSpec("_P")
_R = TypeVar("_R")


class _Autocast(NamedTuple):
    """Of the CPU; the arguments of `torch.autocast`."""

    dtype: Any
    enabled: bool
    cache_enabled: bool


class _Modes(NamedTuple):
    """Of one thread."""

    inference: bool
    grad: bool
    autocast: _Autocast


def _modes_now() -> _Modes | None:
    """The calling thread's; None without PyTorch, and with one older than 2.4."""
    torch: Any = sys.modules.get("torch")
    try:
        return _Modes(torch.is_inference_mode_enabled(), torch.is_grad_enabled(), _Autocast(
            torch.get_autocast_dtype("cpu"), torch.is_autocast_enabled("cpu"),
            torch.is_autocast_cache_enabled()))
    except (AttributeError, TypeError):  # also while another thread imports it
        return None


def _enter(stack: ExitStack, wanted: _Modes, now: _Modes) -> None:
    torch: Any = sys.modules["torch"]
    if wanted.inference != now.inference:
        stack.enter_context(torch.inference_mode(wanted.inference))
    # After the inference mode, which sets it too.
    stack.enter_context(torch.set_grad_enabled(wanted.grad))
    if wanted.autocast != now.autocast:
        stack.enter_context(torch.autocast("cpu", **wanted.autocast._asdict()))


def with_modes_of_caller(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """The function; in another thread it runs in the modes that the calling thread has now."""
    wanted = _modes_now()
    if wanted is None:
        return function

    def in_modes(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        now = _modes_now()
        if now is None or now == wanted:
            return function(*args, **kwargs)
        with ExitStack() as stack:
            _enter(stack, wanted, now)
            return function(*args, **kwargs)

    return in_modes
