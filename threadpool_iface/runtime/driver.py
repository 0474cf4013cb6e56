"""The thread behind a `Task` or a stream, and the calls that wait for it.

What it promises: calls run one at a time, in the order they came. It starts with the first call and
holds no reference to its owner, which may therefore be dropped: calls that are waiting then still
run. Calls that wait when the interpreter ends run before it does. In a forked child, where the
thread does not exist, calls that came before the fork fail, and the next one starts a new thread.
"""

from __future__ import annotations

import atexit
import errno
import os
import threading
import traceback
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Protocol
from weakref import WeakSet

from ..errors import PoolClosedError, ThreadpoolError


class Runnable(Protocol):
    """What a driver takes. No method may raise."""

    def run(self, refusal: BaseException | None) -> None:
        """In the driver's thread; with a refusal, fail with that."""

    def cancel(self) -> None:
        """It will not run, since the driver was closed."""

    def lose(self) -> None:
        """It will not run in this process, a forked child."""


class Call:
    """A function with its arguments, and the future of its result."""

    __slots__ = ("_args", "_function", "_kwargs", "future")

    def __init__(self, function: Callable[..., Any], args: Any, kwargs: Any) -> None:
        self._function, self._args, self._kwargs = function, args, kwargs
        self.future: Future[Any] = Future()

    def run(self, refusal: BaseException | None) -> None:
        """Call it unless it was cancelled; whatever it raises, or `refusal`, goes to the future."""
        if not self.future.set_running_or_notify_cancel():
            return
        try:
            if refusal is not None:
                raise refusal
            result = self._function(*self._args, **self._kwargs)
        except BaseException as error:
            self.future.set_exception(error)
        else:
            self.future.set_result(result)

    def cancel(self) -> None:
        """As if its owner had; those who wait for it are told."""
        if self.future.cancel():
            self.future.set_running_or_notify_cancel()

    def lose(self) -> None:
        """Fail it in a forked child."""
        # A thread that the child does not have may hold the future's lock.
        Future.__init__(self.future)
        self.future.set_exception(ThreadpoolError(
            "this process was forked while the call waited or ran: it runs in the parent only"))


class Driver:
    """A thread that runs calls.

    `enter()` is called in the thread before the first call, `leave()` after the last one. If
    `enter()` fails, calls fail the same way.
    """

    def __init__(self, name: str, maxsize: int, enter: Callable[[], None],
                 leave: Callable[[], None]) -> None:
        self._name, self._maxsize, self._enter, self._leave = name, maxsize, enter, leave
        self._closed = False
        self._reset()
        _drivers.add(self)

    def _reset(self) -> None:
        # Reentrant: a collection inside may drop the Task, which ends the driver.
        lock = threading.RLock()
        self._filled, self._emptied = threading.Condition(lock), threading.Condition(lock)
        self._calls: deque[Runnable] = deque()
        self._running: Runnable | None = None
        self._thread: threading.Thread | None = None

    @property
    def closed(self) -> bool:
        """Whether calls are refused."""
        return self._closed

    @property
    def waiting(self) -> int:
        """Calls that have not started."""
        return len(self._calls)

    def submit(self, call: Runnable) -> None:
        """Have the thread run it, after those that came before; waits while too many do.

        Raises
        ------
        PoolClosedError
            The driver is closed, or is closed meanwhile.
        RuntimeError
            It would wait in the driver's own thread.
        OSError
            The system refused to start the thread.
        """
        with self._emptied:
            while len(self._calls) >= self._maxsize and not self._closed:
                if self._is_current():
                    raise RuntimeError(f"{self._name} has {self._maxsize} calls waiting, and this "
                                       "one of its own would wait for them")
                self._emptied.wait()
            if self._closed:
                raise PoolClosedError(f"{self._name} is closed")
            if self._thread is None:
                self._start()
            self._calls.append(call)
            self._filled.notify()

    def stop(self) -> None:
        """Refuse further calls; the thread ends after those that are waiting."""
        with self._emptied:
            self._closed = True
            self._filled.notify_all()
            self._emptied.notify_all()

    def close(self, *, cancel: bool = False) -> None:
        """`stop`, or cancel the waiting calls; then wait for the thread.

        Raises
        ------
        RuntimeError
            Called in the thread itself.
        """
        if self._is_current():
            raise RuntimeError(f"{self._name} cannot be closed by one of its own calls")
        self.stop()
        for call in self._taken() if cancel else ():
            call.cancel()
        thread = self._thread
        if thread is not None:
            thread.join()

    def _taken(self) -> list[Runnable]:
        with self._emptied:
            calls = list(self._calls)
            self._calls.clear()
        return calls

    def _is_current(self) -> bool:
        return self._thread is threading.current_thread()

    def _start(self) -> None:
        # A daemon: the interpreter would wait for any other before it calls `_finish_all`.
        thread = threading.Thread(target=self._body, name=self._name, daemon=True)
        try:
            thread.start()
        except RuntimeError as error:
            raise OSError(errno.EAGAIN, f"{os.strerror(errno.EAGAIN)}: the system refused to start "
                          f"the thread of {self._name}") from error
        self._thread = thread

    def _body(self) -> None:
        refusal = None
        try:
            self._enter()
        except BaseException as error:
            refusal = error
        while self._run_next(refusal):
            pass
        if self._is_current():
            self._leave()

    def _run_next(self, refusal: BaseException | None) -> bool:
        """False: there will be no further call."""
        with self._filled:
            while not self._calls and not self._closed:
                self._filled.wait()
            if not self._calls:
                return False
            call = self._running = self._calls.popleft()
            self._emptied.notify()
        try:
            call.run(refusal)
        except BaseException:  # of a callback; the future has logged it if it is an Exception
            traceback.print_exc()
        if not self._is_current():
            return False  # in a child that the call forked
        self._running = None
        return True

    def lose_calls(self) -> None:
        """In a forked child: a call that forked goes on, the others are lost."""
        lost = list(self._calls)
        if self._running is not None and not self._is_current():
            lost.insert(0, self._running)
        self._reset()
        for call in lost:
            call.lose()


_drivers: WeakSet[Driver] = WeakSet()


def _finish_all() -> None:
    for driver in list(_drivers):
        driver.close()


def _after_fork() -> None:
    for driver in list(_drivers):
        driver.lose_calls()


atexit.register(_finish_all)
os.register_at_fork(after_in_child=_after_fork)
