"""From Python: the launcher of a compiled body, found quickly.

Launchers are kept in the body's own attributes, so they live as long as it does. numba is not
imported here: a body compiled by it has imported it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

_ATTRIBUTE = "_threadpool_iface_launchers"


def launcher_of(kind: str, body: Any, arity: int) -> Callable[..., Any] | None:
    """The function that starts a region of `kind` for a body with `arity` arguments of its own.

    None if `body` is not compiled: it is a Python callable then, or an error.
    """
    try:
        return body.__dict__[_ATTRIBUTE][kind, arity]  # type: ignore[no-any-return]
    except (AttributeError, KeyError):
        return _new_launcher(kind, (body,), arity)


def chunks_launcher_of(
    kind: str, bodies: tuple[Any, ...], arity: int
) -> Callable[..., Any] | None:
    """The same for a region of several functions; None unless all of them are compiled."""
    try:
        return bodies[0].__dict__[_ATTRIBUTE][kind, bodies, arity]  # type: ignore[no-any-return]
    except (AttributeError, KeyError, TypeError):  # TypeError: a callable that cannot be hashed
        return _new_launcher(kind, bodies, arity)


def is_compiled(function: Any) -> bool:
    """Whether it is a nopython function of numba's."""
    numba = sys.modules.get("numba.core.dispatcher")
    return (numba is not None and isinstance(function, numba.Dispatcher)
            and not function.targetoptions.get("forceobj"))


def _new_launcher(
    kind: str, bodies: tuple[Any, ...], arity: int
) -> Callable[..., Any] | None:
    if not all(map(is_compiled, bodies)):
        return None
    from .launchers import new_launcher

    launchers = bodies[0].__dict__.setdefault(_ATTRIBUTE, {})
    key = (kind, arity) if len(bodies) == 1 else (kind, bodies, arity)
    # setdefault is atomic: of several threads' launchers one stays.
    return launchers.setdefault(key, new_launcher(kind, bodies, arity))  # type: ignore[no-any-return]
