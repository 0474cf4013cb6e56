"""From Python: the launcher of a compiled body, found quickly.

Launchers are kept in the body's own attributes, so they live as long as it does. numba is not
imported here: a body compiled by it has imported it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from .options import MAX_DIMS

#: The attribute of a body in which the launchers of each kind are, by what else tells them apart.
ATTRIBUTES = {kind: f"_threadpool_iface_{kind}" for kind in ("tasks", "loop", "reduce", "scan")} | {
    f"grid{ndim}": f"_threadpool_iface_grid{ndim}" for ndim in range(1, MAX_DIMS + 1)
}


def launcher_of(kind: str, body: Any, arity: int) -> Callable[..., Any] | None:
    """The function that starts a region of `kind` for a body with `arity` arguments of its own.

    None if `body` is not compiled: it is a Python callable then, or an error.
    """
    try:
        return body.__dict__[ATTRIBUTES[kind]][arity]  # type: ignore[no-any-return]
    except (AttributeError, KeyError):
        return _new_launcher(kind, (body,), arity, arity)


def chunks_launcher_of(
    kind: str, bodies: tuple[Any, ...], arity: int
) -> Callable[..., Any] | None:
    """The same for a region of several functions; None unless all of them are compiled."""
    try:
        return bodies[0].__dict__[ATTRIBUTES[kind]][bodies, arity]  # type: ignore[no-any-return]
    except (AttributeError, KeyError, TypeError):  # TypeError: a callable that cannot be hashed
        return _new_launcher(kind, bodies, arity, (bodies, arity))


def is_compiled(function: Any) -> bool:
    """Whether it is a nopython function of numba's."""
    numba = sys.modules.get("numba.core.dispatcher")
    return (numba is not None and isinstance(function, numba.Dispatcher)
            and not function.targetoptions.get("forceobj"))


def _new_launcher(
    kind: str, bodies: tuple[Any, ...], arity: int, key: Any
) -> Callable[..., Any] | None:
    if not all(map(is_compiled, bodies)):
        return None
    from .launchers import new_launcher

    launchers = bodies[0].__dict__.setdefault(ATTRIBUTES[kind], {})
    # setdefault is atomic: of several threads' launchers one stays.
    return launchers.setdefault(key, new_launcher(kind, bodies, arity))  # type: ignore[no-any-return]
