"""`install`, `uninstall`, `installed`: which way in, and everything back as it was.

No lock is held: a thread may be interrupted, die or be left behind by a fork in the middle of this.
Instead `install` and `uninstall` note what is wanted and make numba so, by steps that may be done
again: `_settle`. Two threads may do it at the same time. Each ends with a whole pass for what was
wanted last, so that is what is left. An interrupted `install` wants again what was before it.
"""

from __future__ import annotations

import warnings
from typing import Any, NamedTuple

from .. import settings
from ..errors import mention
from ..native import lib
from .first_launch import contexts_are_being_filled, forget_test, test_at_next_launch
from .gil import leave_gil_alone
from .names import LAYER, do_raise, parallel_module
from .overlay import point_numba_at, set_do_raise
from .own_layer import our_addresses, set_own_layer
from .self_test import check_layer_works
from .stand_in import launched_layer, stand_in, step_back

VARIABLE = "THREADPOOL_IFACE_NUMBA"
_SCHEDULES = ("dynamic", "static")


class _Options(NamedTuple):
    schedule: str
    leave_gil: bool


class _Torn:
    """Neither in nor out: a pass is under way, or was interrupted."""


#: What was asked for last; None: numba's own layer.
_wanted: _Options | None = None
#: What the last whole pass made of numba.
_now: _Options | _Torn | None = None
#: The module of numba's own layer, once the C core knows it.
_own: Any = None


def install(
    *, schedule: str = "dynamic", leave_gil: bool = False, self_test: bool = True
) -> None:
    """Run every parallel loop of numba on the calling thread's pool from now on.

    That is `@njit(parallel=True)`, `@vectorize(target="parallel")` and
    `@guvectorize(target="parallel")`, unchanged: on the active pool, else the default pool, else on
    numba's own layer. `set_threadpool(None)` runs them on the calling thread; inside a region they
    run inline. Functions that were linked before stay where they are. Installing again only changes
    the options. Whatever it raises, an interruption included, everything is as before.

    Parameters
    ----------
    schedule : "dynamic" or "static"
        Threads take up pieces of a loop as they get free, or share it out evenly; with "static", a
        floating-point sum has the same bits from run to run on pools of one size.
    leave_gil : bool
        Whether loops that are compiled from now on never take the GIL: numba's take it around each,
        even in functions with `nogil=True`, and wait for whichever thread is busy in Python.
    self_test : bool
        Whether to run a small reduction first. It is compiled once and then cached on disk. Where
        numba cannot compile yet, in the start-up of an extension, it runs before the first parallel
        loop is linked; its failure is a `RuntimeWarning` then.

    Raises
    ------
    UnsupportedError
        This version of numba is not known, or lacks a private name that is needed; names both.
        Or its loops cannot leave the GIL alone.
    ThreadpoolError
        The self-test failed.
    ValueError
        `schedule` is neither.
    RuntimeError
        Called inside a region.
    """
    global _wanted
    if schedule not in _SCHEDULES:
        raise ValueError(f'schedule must be "dynamic" or "static", not {schedule!r}')
    parallel, before = parallel_module(), _wanted
    try:
        _wanted = _Options(schedule, leave_gil)
        _settle(parallel)
        if self_test and before is None:
            _test(parallel)
    except BaseException as error:
        _wanted = before
        _settle(parallel)
        if isinstance(error, Exception):
            mention(error, "the numba layer is as before: " + (
                "installed" if before else "not installed, parallel loops run on numba's own layer"
            ))
        raise


def uninstall() -> None:
    """Give numba its own layer back.

    What was linked in the meantime runs on it too from now on, whatever pool is active. Nothing
    happens if the layer is not installed. An interruption is raised after it is done.
    """
    global _wanted
    if _wanted is None and _now is None:
        return
    parallel = parallel_module()
    try:
        _wanted = None
        _settle(parallel)
    except BaseException:
        _settle(parallel)
        raise


def installed() -> bool:
    """Whether numba's parallel loops run on our pools."""
    return isinstance(_now, _Options)


def install_if_asked() -> None:
    """`install()` if the environment says so. If that fails, a warning says where loops run.

    numba calls this, possibly where it cannot compile, so the self-test comes later: before the
    first parallel loop is linked.
    """
    value = settings.variable(VARIABLE)
    if value not in ("", "0", "1"):
        _warn(f"{VARIABLE} must be 0 or 1, not {value!r}", f"Set {VARIABLE}=1 to install it.")
    if value == "1" and not installed():
        try:
            install(self_test=False)
            _test_later(parallel_module())
        except Exception as error:
            _warn_of(error)


def _settle(parallel: Any) -> None:
    """Make numba what is wanted; again if another thread has wanted something else meanwhile."""
    while True:
        wanted = _wanted
        if wanted is None:
            _way_out(parallel)
        else:
            _way_in(parallel, wanted)
        if _wanted is wanted:
            return


def _way_in(parallel: Any, wanted: _Options) -> None:
    global _now
    leave_gil_alone(parallel, wanted.leave_gil)
    lib.tpi_numba_set_static(wanted.schedule == "static")
    if not isinstance(_now, _Options):
        _now = _Torn()
        _take_the_place_of_numbas(parallel)
        lib.tpi_numba_enable(1)
    _now = wanted


def _take_the_place_of_numbas(parallel: Any) -> None:
    if not parallel._is_initialized:
        stand_in(lambda module: _chosen(parallel, module, launched=False))
        return
    if _own is not None:  # it may have been left to be launched by the first loop that needs it
        lib.tpi_numba_launch_own()
    _chosen(parallel, launched_layer(parallel), launched=True)
    point_numba_at(parallel, our_addresses())


def _chosen(parallel: Any, module: Any, *, launched: bool) -> None:
    global _own
    set_own_layer(module, launched=launched, max_threads=parallel.NUM_THREADS)
    _own = module
    lib.tpi_numba_set_do_raise(do_raise())
    set_do_raise(parallel, lib.tpi_numba_do_raise())


def _way_out(parallel: Any) -> None:
    global _now
    _now = _Torn()
    step_back()
    forget_test(parallel)
    leave_gil_alone(parallel, False)
    lib.tpi_numba_enable(0)
    if _own is not None:
        set_do_raise(parallel, do_raise())
        if parallel._is_initialized:
            lib.tpi_numba_launch_own()
            point_numba_at(parallel, {name: getattr(_own, name) for name in LAYER})
    _now = None


def _test(parallel: Any) -> None:
    if contexts_are_being_filled():
        _test_later(parallel)
    else:
        check_layer_works(min(2, parallel.NUM_THREADS))


def _test_later(parallel: Any) -> None:
    test_at_next_launch(parallel, lambda: _warn_unless_it_works(parallel))


def _warn_unless_it_works(parallel: Any) -> None:
    try:
        check_layer_works(min(2, parallel.NUM_THREADS))
    except Exception as error:
        uninstall()
        _warn_of(error)


def _warn_of(error: Exception) -> None:
    _warn(f"{type(error).__name__}: {error}",
          "Call threadpool_iface.numba_layer.install() at the start of the program to see where "
          f"this error arises; set {VARIABLE}=0 to do without the layer and this warning.")


def _warn(reason: str, advice: str) -> None:
    warnings.warn(
        f"the numba layer of threadpool_iface is not installed: {reason}\n"
        "numba's parallel loops run on numba's own layer (omp, tbb or workqueue, as "
        f"NUMBA_THREADING_LAYER says), whatever pool is active. {advice}",
        RuntimeWarning, stacklevel=3,
    )
