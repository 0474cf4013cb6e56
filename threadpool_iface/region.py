"""A region seen from Python: tasks in the form the C core takes, and what a region ends with.

A task is a Python callable (which needs the GIL, so pure Python gains nothing from running on
several threads) or a native one, which runs without it. The first task that fails wins: the C core
skips those that have not started, and its exception is raised once, in the caller, after every
running task has ended.
"""

from __future__ import annotations

import sys
import threading
import weakref
from collections.abc import Callable
from contextlib import suppress
from sys import is_finalizing
from threading import get_ident
from traceback import print_exception
from typing import Any, NoReturn

from .errors import check, keep_pending, note, take_pending
from .native import ffi, lib

#: `submit(task, ctx)` runs the region's tasks in C and returns the core's code.
Submit = Callable[[Any, Any], int]

#: The most tasks of a region: the C core counts them in an int32.
MAX_TASKS = 2**31 - 1


class PythonTask:
    """What the C callback is handed: a callable, its arguments, and the failures so far."""

    __slots__ = ("args", "call", "caller", "failures", "forks")

    def __init__(self, call: Callable[..., Any], args: tuple[Any, ...]) -> None:
        self.call, self.args = call, args
        self.caller, self.forks = get_ident(), _forks
        self.failures: list[tuple[BaseException, int, int]] = []

    def fail(self, error: BaseException, ithr: int, nthr: int) -> int:
        """Note a failure for the region's caller; the code for the C core.

        A child that a worker's task forked has no caller. It ends with the code as its status.
        """
        self.failures.append((error, ithr, nthr))
        if _forks != self.forks and get_ident() != self.caller:
            return _end_of_program(error)
        return int(lib.TPI_E_PYTHON)

    def raise_first(self) -> NoReturn:
        # Ctrl-C may end tasks of a region that has failed already; it is not lost in that.
        interrupts = [each for each in self.failures if isinstance(each[0], KeyboardInterrupt)]
        error, ithr, nthr = (interrupts or self.failures)[0]
        note(error, f"task {ithr} of {nthr} of a parallel region")
        try:
            raise error
        finally:
            # The traceback holds this frame: without this, everything in it waits for a collection.
            self.failures.clear()
            interrupts.clear()
            del error


def _end_of_program(error: BaseException) -> int:
    """What Python does with an exception that leaves a program: print it; the exit status."""
    if not isinstance(error, SystemExit):
        print_exception(error)
        return 1
    with suppress(Exception):
        sys.stdout.flush()
    if error.code is None or isinstance(error.code, int):
        return (error.code or 0) & 0xFF
    print(error.code, file=sys.stderr)
    return 1


def _outside_any_task(kind: Any, error: BaseException, traceback: Any) -> None:
    """Ctrl-C may arrive before a callback's first line: the region's caller gets it all the same.

    The caller may be another thread, so the exception goes to the region.
    """
    given = {} if traceback is None else dict(traceback.tb_frame.f_locals)
    if given.keys() >= {"ctx", "ithr", "nthr"}:
        task: PythonTask = ffi.from_handle(given["ctx"])
        task.failures.append((error, given["ithr"], given["nthr"]))
    else:
        keep_pending(error)


@ffi.def_extern(error=lib.TPI_E_PYTHON, onerror=_outside_any_task)  # type: ignore[untyped-decorator]
def tpi_python_task(ctx: Any, ithr: int, nthr: int) -> int:
    task: PythonTask = ffi.from_handle(ctx)
    try:
        task.call(ithr, nthr, *task.args)
    except BaseException as error:  # KeyboardInterrupt and SystemExit travel to the caller too
        return task.fail(error, ithr, nthr)
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


#: How often this process, or one it comes from, was forked.
_forks = 0


def begin_child() -> None:
    """In a forked child."""
    global _forks
    _forks += 1
    watch_interrupts()


def watch_interrupts() -> None:
    """Let Ctrl-C end the regions that the main thread starts; Python handles signals there.

    In a forked child that is the thread which forked.
    """
    if threading.current_thread() is threading.main_thread():
        lib.tpi_set_interrupt_check(lib.tpi_python_interrupted)


def know_this_thread() -> None:
    """Before a fork: have `threading` know the calling thread, which may be a pool's worker.

    For one that it does not know, it makes an object in the child and takes a lock for that. Where
    another thread held the lock, the fork would never return (CPython 3.11 and 3.12).
    """
    threading.current_thread()


def run_region(
    submit: Submit, n: int, task: Any, args: tuple[Any, ...], pool: Callable[[], object]
) -> None:
    """Run `submit` with the task, of `n`, in its C form, and raise what the region ended with.

    `pool` gives the pool that an error message names; asked only after a failure. While the
    interpreter is torn down, other threads cannot run Python: then the tasks run here.
    """
    prepared = Prepared(task, args)
    if prepared.python is not None and is_finalizing():
        code = lib.tpi_pool_parallel(ffi.NULL, n, prepared.native, prepared.ctx)
    else:
        code = submit(prepared.native, prepared.ctx)
    if code:
        prepared.raise_for(code, pool)


class Prepared:
    """A task in the form the C core takes, with what has to live as long as the region.

    `python` is None for a native one, whose tasks do not need the interpreter.

    Raises
    ------
    TypeError
        `task` cannot be called, or is native and was given args.
    """

    __slots__ = ("_task", "ctx", "native", "python")

    def __init__(self, task: Any, args: tuple[Any, ...]) -> None:
        self._task = task  # the code of a native one lives as long as this
        self.native = native_task(task)
        if self.native is not None:
            if args:
                raise TypeError("a native task takes no args; give it a context of its own")
            self.python, self.ctx = None, ffi.NULL
            return
        if not callable(task):
            raise TypeError(f"task must be a callable or a native task, not {task!r}")
        self.python = PythonTask(task, args)
        self.native, self.ctx = lib.tpi_python_task, ffi.new_handle(self.python)

    def raise_for(self, code: int, pool: Callable[[], object]) -> None:
        """Raise what a region that ended with `code` failed of."""
        kept = take_pending() if self.python else None
        interrupted = kept is not None and not isinstance(kept, Exception)
        if self.python and self.python.failures and not interrupted:
            self.python.raise_first()  # a pool that failed as well failed later
        if kept is not None:
            raise kept
        check(code, pool())


#: Pointers of native tasks that were used before, by the id of what stands for them in Python; with
#: a weak reference that takes the entry out before the id can mean another object.
_known: dict[int, tuple[Any, Any]] = {}
_not_known: tuple[Any, Callable[[], object]] = (None, lambda: _not_known)


def known_native(task: Any) -> Any:
    """The C function pointer of a native task that `native_task` has seen before, else None.

    A look-up instead of checks: a region of native tasks takes less time than they do.
    """
    pointer, reference = _known.get(id(task), _not_known)
    # If its callback was broken off, the entry is of an object that is gone.
    return pointer if reference() is task else None


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
