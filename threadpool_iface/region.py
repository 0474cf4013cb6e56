"""A region seen from Python: tasks in the form the C core takes, and what a region ends with.

A task is a Python callable (which needs the GIL, so pure Python gains nothing from running on
several threads) or a native one, which runs without it. The first task that fails wins: the C core
skips those that have not started, and its exception is raised once, in the caller, after every
running task has ended.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable
from contextlib import suppress
from typing import Any, NoReturn

from .errors import check, keep_pending, take_pending
from .native import ffi, lib

#: `submit(task, ctx)` runs the region's tasks in C and returns the core's code.
Submit = Callable[[Any, Any], int]

#: The most tasks of a region: the C core counts them in an int32.
MAX_TASKS = 2**31 - 1


class PythonTask:
    """What the C callback is handed: a callable, its arguments, and the failures so far."""

    __slots__ = ("args", "call", "failures")

    def __init__(self, call: Callable[..., Any], args: tuple[Any, ...]) -> None:
        self.call, self.args = call, args
        self.failures: list[tuple[BaseException, int, int]] = []

    def raise_first(self) -> NoReturn:
        error, ithr, nthr = self.failures[0]
        error.add_note(f"raised in task {ithr} of {nthr} of a parallel region")
        try:
            raise error
        finally:
            # The traceback holds this frame: without this, everything in it waits for a collection.
            self.failures.clear()
            del error


def _outside_any_task(kind: Any, error: BaseException, traceback: Any) -> None:
    """Ctrl-C may arrive before a callback's first line: it goes to the caller all the same."""
    keep_pending(error)


@ffi.def_extern(error=lib.TPI_E_PYTHON, onerror=_outside_any_task)  # type: ignore[untyped-decorator]
def tpi_python_task(ctx: Any, ithr: int, nthr: int) -> int:
    task: PythonTask = ffi.from_handle(ctx)
    try:
        task.call(ithr, nthr, *task.args)
    except BaseException as error:  # KeyboardInterrupt and SystemExit travel to the caller too
        task.failures.append((error, ithr, nthr))
        return int(lib.TPI_E_PYTHON)
    return 0


def _interrupted(kind: Any, error: BaseException, traceback: Any) -> None:
    keep_pending(error)


@ffi.def_extern(error=lib.TPI_E_PYTHON, onerror=_interrupted)  # type: ignore[untyped-decorator]
def tpi_python_interrupted() -> int:
    """Runs in the main thread, about every 50 ms of a region, so that Python handles its signals.

    That happens as soon as any Python code runs: Ctrl-C is raised in here, ends the region, and is
    raised again by the caller's `check`.
    """
    return 0


def watch_interrupts() -> None:
    """Let Ctrl-C end the regions that the main thread starts; Python handles signals there."""
    if threading.current_thread() is threading.main_thread():
        lib.tpi_set_interrupt_check(lib.tpi_python_interrupted)


def run_region(
    submit: Submit, task: Any, args: tuple[Any, ...], pool: Callable[[], object]
) -> None:
    """Run `submit` with the task in its C form, and raise what the region ended with.

    `pool` gives the pool that an error message names; asked only after a failure.
    """
    prepared = Prepared(task, args)
    if code := submit(prepared.native, prepared.ctx):
        prepared.raise_for(code, pool)


class Prepared:
    """A task in the form the C core takes, with what has to live as long as the region.

    Raises
    ------
    TypeError
        `task` cannot be called, or is native and was given args.
    """

    __slots__ = ("_python", "ctx", "native")

    def __init__(self, task: Any, args: tuple[Any, ...]) -> None:
        self.native = native_task(task)
        if self.native is not None:
            if args:
                raise TypeError("a native task takes no args; give it a context of its own")
            self._python, self.ctx = None, ffi.NULL
            return
        if not callable(task):
            raise TypeError(f"task must be a callable or a native task, not {task!r}")
        self._python = PythonTask(task, args)
        self.native, self.ctx = lib.tpi_python_task, ffi.new_handle(self._python)

    def raise_for(self, code: int, pool: Callable[[], object]) -> None:
        """Raise what a region that ended with `code` failed of."""
        kept = take_pending() if self._python else None
        interrupted = kept is not None and not isinstance(kept, Exception)
        if self._python and self._python.failures and not interrupted:
            self._python.raise_first()  # a pool that failed as well failed later
        if kept is not None:
            raise kept
        check(code, pool())


#: Pointers of native tasks that were used before, by the id of what stands for them in Python; with
#: a weak reference that takes the entry out before the id can mean another object.
_known: dict[int, tuple[Any, Any]] = {}
_not_known = (None, None)


def known_native(task: Any) -> Any:
    """The C function pointer of a native task that `native_task` has seen before, else None.

    A look-up instead of checks: a region of native tasks takes less time than they do.
    """
    return _known.get(id(task), _not_known)[0]


def native_task(task: Any) -> Any:
    """The C function pointer of a native task; None for anything else.

    Raises
    ------
    TypeError
        It is a C function, but not an `int32_t(void *, int32_t, int32_t)`.
    """
    pointer = _native_task(task)
    if pointer is not None:
        _remember(task, pointer)
    return pointer


def _remember(task: Any, pointer: Any) -> None:
    key = id(task)
    with suppress(TypeError):  # something that cannot be weakly referenced is looked at each time
        reference = weakref.ref(task, lambda _: _known.pop(key, None))
        # A copy: the pointer may be the task itself, which the entry must not keep alive.
        _known[key] = ffi.cast("tpi_task", pointer), reference


def _native_task(task: Any) -> Any:
    if isinstance(task, ffi.CData):
        if ffi.typeof(task) is not ffi.typeof("tpi_task"):
            raise TypeError(f"task must be a callable or a tpi_task pointer, not {task!r}")
        return task
    address = getattr(task, "address", None)
    if not isinstance(address, int) or isinstance(address, bool):
        return None
    _check_signature(task)
    return ffi.cast("tpi_task", address)


def _check_signature(task: Any) -> None:
    """Refuse a numba cfunc of another signature: calling it would corrupt the stack."""
    signature = getattr(task, "_sig", None)
    if signature is None:
        return
    context, *numbers = (str(kind) for kind in (*signature.args, signature.return_type))
    if not (context.endswith("*") and numbers == ["int32"] * 3):
        raise TypeError(
            f"a native task must be an int32(voidptr, int32, int32), not {signature}"
        )
