"""Launchers: for each body a compiled function that starts its region, called from Python.

A launcher takes the body's arguments as its own, so numba's C dispatcher looks at their types,
which is faster than anything that could be written here. That needs a function with as many
parameters as the body has arguments: its source is one line with names filled in.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba import njit

from .chunks import reducing, scanning
from .disk_cache import cache_beside
from .identity import identify
from .options import MAX_DIMS
from .points import walking
from .regions import run_loop, run_tasks

_LOOP = "n, grain, schedule, most, cost"
_SOURCES = {
    "tasks": "def launcher(nthr, {names}): run_tasks(nthr, body, ({names}))",
    "loop": f"def launcher({_LOOP}, {{names}}): run_loop({_LOOP}, body, ({{names}}))",
    "reduce": "def launcher(n, grain, init, {names}): return reduce(n, grain, init, ({names}))",
    "scan": "def launcher(n, grain, init, {names}): return scan(n, grain, init, ({names}))",
}
_PARTS: dict[str, Callable[..., dict[str, Any]]] = {
    "tasks": lambda body: {"run_tasks": run_tasks, "body": body},
    "loop": lambda body: {"run_loop": run_loop, "body": body},
    "reduce": lambda body, combine: {"reduce": reducing(body, combine)},
    "scan": lambda *bodies: {"scan": scanning(*bodies)},
}


def _add_grid(ndim: int) -> None:
    dims = "".join(f"dim{i}, " for i in range(ndim))
    _SOURCES[f"grid{ndim}"] = f"def launcher({dims}{{names}}): walk(({dims}), ({{names}}))"
    _PARTS[f"grid{ndim}"] = lambda body: {"walk": walking(body, ndim)}


for _ndim in range(1, MAX_DIMS + 1):
    _add_grid(_ndim)


def new_launcher(kind: str, bodies: tuple[Any, ...], arity: int) -> Any:
    """A launcher; cached on disk if the functions that it calls are."""
    names = "".join(f"argument{i}, " for i in range(arity))
    scope = _PARTS[kind](*bodies)
    exec(_SOURCES[kind].format(names=names), scope)
    function = identify(scope["launcher"], f"{kind}{arity}", bodies)
    launcher = njit(nogil=True)(function)
    cache_beside(launcher, f"{kind}{arity}", bodies)
    return launcher
