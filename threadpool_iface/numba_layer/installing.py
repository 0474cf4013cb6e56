"""`install`, `uninstall`, `installed`: which way in, and everything back as it was."""

from __future__ import annotations

import sys
import threading
from typing import Any

from .. import settings
from ..native import lib
from .gil import leave_gil_alone
from .names import LAYER, MODULES, PACKAGE, do_raise, parallel_module
from .overlay import point_numba_at, set_do_raise
from .own_layer import our_addresses, set_own_layer
from .self_test import check_layer_works
from .stand_in import stand_in, step_back

VARIABLE = "THREADPOOL_IFACE_NUMBA"
_SCHEDULES = ("dynamic", "static")

_lock = threading.RLock()
_installed = False
#: The module of numba's own layer, once it is known.
_own: Any = None


def install(
    *, schedule: str = "dynamic", leave_gil: bool = False, self_test: bool = True
) -> None:
    """Run every parallel loop of numba on the calling thread's pool from now on.

    That is `@njit(parallel=True)`, `@vectorize(target="parallel")` and
    `@guvectorize(target="parallel")`, unchanged: on the active pool, else the default pool, else on
    numba's own layer. `set_threadpool(None)` runs them on the calling thread; inside a region they
    run inline. Functions that were linked before stay where they are. Installing again only changes
    the options.

    Parameters
    ----------
    schedule : "dynamic" or "static"
        Threads take up pieces of a loop as they get free, or share it out evenly; with "static", a
        floating-point sum has the same bits from run to run on pools of one size.
    leave_gil : bool
        Whether loops that are compiled from now on never take the GIL: numba's take it around each,
        even in functions with `nogil=True`, and wait for whichever thread is busy in Python.
    self_test : bool
        Whether to run a small reduction first. It is compiled once and then cached on disk.

    Raises
    ------
    UnsupportedError
        This version of numba is not known, or lacks a private name that is needed; names both.
        Or its loops cannot leave the GIL alone.
    ThreadpoolError
        The self-test failed; everything is as before.
    ValueError
        `schedule` is neither.
    RuntimeError
        Called inside a region.
    """
    global _installed
    if schedule not in _SCHEDULES:
        raise ValueError(f'schedule must be "dynamic" or "static", not {schedule!r}')
    with _lock:
        parallel = parallel_module()
        leave_gil_alone(parallel, leave_gil)
        lib.tpi_numba_set_static(schedule == "static")
        if _installed:
            return
        _way_in(parallel)
        _installed = True
        if self_test:
            _tested(parallel)


def uninstall() -> None:
    """Give numba its own layer back.

    What was linked in the meantime runs on it too from now on, whatever pool is active. Nothing
    happens if the layer is not installed.
    """
    global _installed
    with _lock:
        if _installed:
            _way_out(parallel_module())
            _installed = False


def installed() -> bool:
    """Whether numba's parallel loops run on our pools."""
    return _installed


def install_if_asked() -> None:
    """`install()` if the environment says so.

    Raises
    ------
    ValueError
        The variable is neither 0 nor 1.
    """
    value = settings.variable(VARIABLE)
    if value not in ("", "0", "1"):
        raise ValueError(f"{VARIABLE} must be 0 or 1, not {value!r}")
    if value == "1":
        install()


def _way_in(parallel: Any) -> None:
    if not parallel._is_initialized:
        stand_in(lambda module: _chosen(parallel, module, launched=False))
    else:
        layer = f"{PACKAGE}.{MODULES[parallel._threading_layer]}"
        _chosen(parallel, sys.modules[layer], launched=True)
        point_numba_at(parallel, our_addresses())
    lib.tpi_numba_enable(1)


def _chosen(parallel: Any, module: Any, *, launched: bool) -> None:
    global _own
    set_own_layer(module, launched=launched, max_threads=parallel.NUM_THREADS)
    lib.tpi_numba_set_do_raise(do_raise())
    set_do_raise(parallel, lib.tpi_numba_do_raise())
    _own = module


def _way_out(parallel: Any) -> None:
    step_back()
    leave_gil_alone(parallel, False)
    lib.tpi_numba_enable(0)
    if parallel._is_initialized:
        lib.tpi_numba_launch_own()
        point_numba_at(parallel, {name: getattr(_own, name) for name in LAYER})
        set_do_raise(parallel, do_raise())


def _tested(parallel: Any) -> None:
    try:
        check_layer_works(min(2, parallel.NUM_THREADS))
    except BaseException:
        uninstall()
        raise
