"""The private names of numba that the layer relies on, and the versions known to have them.

numba's generated code calls its threading layer by symbol name, and its Python side through a few
module globals. Both have been the same for years, but nobody promised them: they are probed before
anything is changed.
"""

from __future__ import annotations

import re
from typing import Any

from ..errors import UnsupportedError

OLDEST, NEWEST = (0, 60), (0, 68)

#: numba's names of its layers, and the modules that hold them.
MODULES = {"tbb": "tbbpool", "omp": "omppool", "workqueue": "workqueue"}
PACKAGE = "numba.np.ufunc"

#: What a layer's module has, as addresses.
LAYER = ("allocate_sched", "deallocate_sched", "do_scheduling_signed", "do_scheduling_unsigned",
         "get_num_threads", "get_parallel_chunksize", "get_sched_size", "get_thread_id",
         "launch_threads", "parallel_for", "set_num_threads", "set_parallel_chunksize")

#: Functions and globals of numba.np.ufunc.parallel.
_PARALLEL = ("NUM_THREADS", "_is_initialized", "_launch_threads", "_load_threading_functions",
             "_threading_layer", "ll")


def check_version(version: str) -> None:
    """Refuse a numba that nobody has tried this with.

    Raises
    ------
    UnsupportedError
        Names the version found and those that are known.
    """
    found = re.match(r"(\d+)\.(\d+)", version)
    if not found or not OLDEST <= (int(found[1]), int(found[2])) <= NEWEST:
        known = " to ".join(".".join(map(str, bound)) for bound in (OLDEST, NEWEST))
        raise UnsupportedError(
            f"numba {version} is not known to the numba layer, which supports numba {known}; "
            "parallel loops stay on numba's own layer"
        )


def parallel_module() -> Any:
    """numba.np.ufunc.parallel, probed.

    Raises
    ------
    UnsupportedError
        Its version is not known, or a private name is not there.
    """
    import numba
    from numba.np.ufunc import parallel

    check_version(numba.__version__)
    lacks = [f"{parallel.__name__}.{name}" for name in _PARALLEL if not hasattr(parallel, name)]
    if not isinstance(_helpers().get("do_raise"), int):
        lacks.append("numba._helperlib.c_helpers['do_raise']")
    if lacks:
        raise UnsupportedError(
            f"numba {numba.__version__} has no {', '.join(lacks)}; "
            "parallel loops stay on numba's own layer"
        )
    return parallel


def _helpers() -> dict[str, int]:
    from numba import _helperlib

    return dict(getattr(_helperlib, "c_helpers", {}))


def do_raise() -> int:
    """The address of numba's function that sets the exception of compiled code."""
    return _helpers()["do_raise"]


def check_layer(module: Any) -> None:
    """Refuse a layer of numba's that lacks a function.

    Raises
    ------
    UnsupportedError
        Names what is not there.
    """
    lacks = [name for name in LAYER if not isinstance(getattr(module, name, None), int)]
    if lacks:
        raise UnsupportedError(
            f"numba's layer {module.__name__} has no {', '.join(lacks)}; parallel loops stay on it"
        )
