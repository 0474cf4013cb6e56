"""The compiled C core: `lib` and `ffi`, checked to be built from the sources beside it."""

from __future__ import annotations

import os
import sys
from typing import Any

from .digest import sources_digest

_REBUILD = "python -m pip install --no-build-isolation -e .  (or without -e, from the checkout)"

try:
    from ._core import ffi, lib
except ImportError as error:
    raise ImportError(
        f"the C core of threadpool_iface is not built for this Python ({error}); run: {_REBUILD}"
    ) from error


def _refuse_stale_build() -> None:
    current = sources_digest()
    built = ffi.string(lib.tpi_sources_digest()).decode()
    if current is not None and current != built:
        raise ImportError(
            "the C sources of threadpool_iface have changed since it was built; "
            f"run: {_REBUILD}"
        )


def _refuse_to_run_without_the_gil() -> None:
    """A free-threaded Python takes the GIL for modules like ours, unless it was told not to."""
    if not getattr(sys, "_is_gil_enabled", lambda: True)():
        raise ImportError(
            "threadpool_iface needs the GIL, which this free-threaded Python was told to do "
            "without: unset PYTHON_GIL=0 and leave out -X gil=0"
        )


_refuse_stale_build()
_refuse_to_run_without_the_gil()

if lib.tpi_add_guarded():
    raise ImportError("the C core of threadpool_iface could not add its types")

from ._core import guarded  # noqa: E402 - it was added just now


def get_include() -> str:
    """The folder of `threadpool_iface.h`, for native libraries that supply or use a pool."""
    return os.path.join(os.path.dirname(os.path.abspath(__file__)), "include")


def address(name: str) -> int:
    """Address of a function of the C core, for native code that cannot link against it.

    Raises
    ------
    ValueError
        There is no such function.
    """
    if not name.startswith("tpi_") or not hasattr(lib, name):
        raise ValueError(f"the C core has no function {name!r}")
    return int(ffi.cast("uintptr_t", ffi.addressof(lib, name)))


__all__: list[Any] = ["address", "ffi", "get_include", "guarded", "lib"]
