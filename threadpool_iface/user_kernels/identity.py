"""Names of generated functions, which must differ wherever the functions do.

LLVM code loaded from two caches is linked by name, and numba's own numbering starts anew in each
process: two launchers of one name, cached by two processes, would become one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any


def fingerprint(bodies: tuple[Any, ...]) -> str:
    """A digest of where compiled functions come from and of their bytecode."""
    digest = hashlib.sha256()
    for body in bodies:
        function = body.py_func
        code = function.__code__
        place = (function.__module__, function.__qualname__, code.co_filename, code.co_firstlineno)
        digest.update(repr((*place, code.co_code)).encode())
    return digest.hexdigest()[:16]


def identify(
    function: Callable[..., Any], role: str, bodies: tuple[Any, ...]
) -> Callable[..., Any]:
    """`function`, generated in the `role` for `bodies`, named after them."""
    first = bodies[0].py_func
    function.__module__ = first.__module__
    function.__qualname__ = f"{first.__qualname__}.{role}.{fingerprint(bodies)}"
    return function
