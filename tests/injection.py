"""An exception at every place of a call, one run after the other: does the state stay whole?

A signal handler may raise between any two lines, and where a function is called or returns. So

    def make():
        thing = Thing()
        def check():
            assert thing.is_whole()
        return thing.change, check

    for interruption in every_interruption(make):
        pass

runs `thing.change` of a new `thing` with KeyboardInterrupt raised at its first trace event, checks,
does the same with the second one, and so on, until a run comes to its end before its event; that
run is checked as well. It fails where the exception does not arrive, and where a check fails; the
message names the place. Where state belongs to the process, give `run=in_a_fork`: each run has a
process of its own, which starts from the state of this one.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from types import FrameType
from typing import Any

import threadpool_iface

#: Where exceptions are injected, unless a test says otherwise: in code of the package.
PACKAGE = str(Path(threadpool_iface.__file__).parent)

Make = Callable[[], tuple[Callable[[], Any], Callable[[], Any]]]


@dataclass(frozen=True)
class Interruption:
    """Where the exception was raised: at an event of sys.settrace or sys.setprofile."""

    number: int
    event: str  # call, line or return; c_call or c_return
    file: str
    line: int
    function: str

    def __str__(self) -> str:
        return f"event {self.number}, {self.event} in {self.function}, {self.file}:{self.line}"


class _Injector:
    """Raises at one event; counts those of frames whose file is below `within`."""

    def __init__(self, number: int, error: type[BaseException], within: tuple[str, ...]) -> None:
        self._left, self._number, self._error, self._within = number, number, error, within
        self.done: Interruption | None = None

    def __enter__(self) -> None:
        self._before = sys.gettrace(), sys.getprofile()
        sys.setprofile(self._profile)
        sys.settrace(self._trace)

    def __exit__(self, *exception: object) -> None:
        sys.settrace(self._before[0])
        sys.setprofile(self._before[1])

    def _trace(self, frame: FrameType, event: str, argument: object) -> Any:
        if not frame.f_code.co_filename.startswith(self._within):
            return None
        if event in ("call", "line", "return"):
            self._at(frame, event)
        return self._trace

    def _profile(self, frame: FrameType, event: str, argument: object) -> None:
        if event in ("c_call", "c_return") and frame.f_code.co_filename.startswith(self._within):
            self._at(frame, event)

    def _at(self, frame: FrameType, event: str) -> None:
        if self.done is not None:
            return
        if self._left:
            self._left -= 1
            return
        code = frame.f_code
        self.done = Interruption(self._number, event, code.co_filename, frame.f_lineno,
                                 code.co_name)
        raise self._error(str(self.done))


def interrupted(
    make: Make, number: int, error: type[BaseException] = KeyboardInterrupt,
    within: tuple[str, ...] = (PACKAGE,),
) -> Interruption | None:
    """Run one action with an exception at one event; None if it came to its end before that.

    Raises
    ------
    AssertionError
        The exception did not arrive, or the check failed afterwards; names the place.
    """
    action, check = make()
    injector = _Injector(number, error, within)
    try:
        with injector:
            action()
        arrived = False
    except error as caught:
        if injector.done is None or str(injector.done) not in map(str, _causes(caught)):
            raise
        arrived = True
    if injector.done is not None and not arrived:
        raise AssertionError(f"{error.__name__} did not arrive: {injector.done}")
    try:
        check()
    except BaseException as failure:
        raise AssertionError(f"after {injector.done or 'no interruption'}: {failure!r}"
                             ) from failure
    return injector.done


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def in_a_fork(one: Callable[[], Interruption | None]) -> Interruption | None:
    """`one()` in a forked child; what it returned, or its failure as an AssertionError."""
    reads, writes = os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.close(reads)
            with os.fdopen(writes, "w") as out:
                try:
                    out.write(_shown(one()))
                    status = 0
                except BaseException:
                    out.write(traceback.format_exc())
        finally:
            os._exit(status)
    os.close(writes)
    with os.fdopen(reads) as answer:
        text = answer.read()
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert status == 0, f"status {status}: {text}"
    if not text:
        return None
    number, event, line, function, file = text.split("\n", 4)
    return Interruption(int(number), event, file, int(line), function)


def _shown(done: Interruption | None) -> str:
    if done is None:
        return ""
    return "\n".join([str(done.number), done.event, str(done.line), done.function, done.file])


def every_interruption(
    make: Make, *, error: type[BaseException] = KeyboardInterrupt,
    within: tuple[str, ...] = (PACKAGE,), step: int = 1,
    run: Callable[[Callable[[], Interruption | None]], Interruption | None] = lambda one: one(),
) -> Iterator[Interruption]:
    """Each place where the action was interrupted, checked; see above.

    Parameters
    ----------
    make : function of nothing
        Returns `(action, check)`, new for each run. `check` raises if the state is not whole.
    error : type of exception
        What is raised.
    within : paths
        Only in code whose file begins with one of them.
    step : int
        2: every second event; and so on.
    run : function
        Runs one of them: `in_a_fork`, or here.
    """
    for number in count(0, step):
        done = run(lambda number=number: interrupted(make, number, error, within))
        if done is None:
            return
        yield done
