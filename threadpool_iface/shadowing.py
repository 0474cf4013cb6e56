"""`kernels` is also the import name of another distribution on PyPI: say so if it replaced ours."""

from __future__ import annotations

import warnings
from importlib.util import find_spec

#: The first line of our `kernels/__init__.py`.
MARKER = b'"""Primitives on pools:'


def warn_if_kernels_is_not_ours() -> None:
    """Warn when `import kernels` would import somebody else's package."""
    spec = find_spec("kernels")
    if spec is None or spec.origin is None:
        return
    with open(spec.origin, "rb") as file:
        if file.read(len(MARKER)) == MARKER:
            return
    warnings.warn(
        f"`import kernels` finds another distribution's package ({spec.origin}) instead of "
        "threadpool-iface's Matmul and Conv2d. Both install under the name `kernels`; keep them in "
        "different environments, or reinstall threadpool-iface last: "
        "pip install --force-reinstall --no-deps threadpool-iface",
        UserWarning,
        stacklevel=3,
    )
