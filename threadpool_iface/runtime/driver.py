"""The thread behind a `Task` or a stream, and the calls that wait for it.

What it promises: calls run one at a time, in the order they came. It starts with the first call and
holds no reference to its owner, which may therefore be dropped: calls that are waiting then still
run. Calls that wait when the interpreter ends run before it does. In a forked child, where the
thread does not exist, calls that came before the fork fail, and the next one starts a new thread.

There is no lock. Ctrl-C, a fork or the end of the interpreter could leave one held, and every later
call would hang. Each step is one operation of a deque, a dict or a SimpleQueue, which is atomic:

    caller                                   thread
    append the call                          take a token; sleep while there is none
    put a token                              run the first call; wake callers that wait for room
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
from contextlib import suppress
from queue import Empty, SimpleQueue
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


class _OwnFuture(Future[Any]):
    """A future whose result the thread that is to compute it cannot wait for."""

    def __init__(self, driver: Driver) -> None:
        super().__init__()
        self._driver = driver

    def result(self, timeout: float | None = None) -> Any:
        self._refuse_to_wait()
        return super().result(timeout)

    def exception(self, timeout: float | None = None) -> BaseException | None:
        self._refuse_to_wait()
        return super().exception(timeout)

    def _refuse_to_wait(self) -> None:
        if not self.done() and self._driver.is_current:
            raise RuntimeError(f"a call of {self._driver.name} would wait for itself, or for one "
                               "that comes after it in the same thread")


class Call:
    """A function with its arguments, and the future of its result."""

    __slots__ = ("_args", "_function", "_kwargs", "future")

    def __init__(self, driver: Driver, function: Callable[..., Any], args: Any, kwargs: Any
                 ) -> None:
        self._function, self._args, self._kwargs = function, args, kwargs
        self.future: Future[Any] = _OwnFuture(driver)

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
    `enter()` fails, calls fail the same way. Callers that come at the same time may each have one
    call more than `maxsize` wait.
    """

    def __init__(self, name: str, maxsize: int, enter: Callable[[], None],
                 leave: Callable[[], None]) -> None:
        self.name = name
        self._maxsize, self._enter, self._leave = maxsize, enter, leave
        self._closed = False
        self._reset()
        _drivers.add(self)

    def _reset(self) -> None:
        self._calls: deque[Runnable] = deque()
        self._tokens: SimpleQueue[None] = SimpleQueue()
        #: Held locks of callers that wait for room; releasing one wakes its caller.
        self._waiters: deque[threading.Lock] = deque()
        self._running: Runnable | None = None
        #: Threads that were started; the first one to enter itself in `_serving` runs the calls.
        self._threads: list[threading.Thread] = []
        self._serving: dict[str, threading.Thread] = {}
        self._ended = False

    @property
    def closed(self) -> bool:
        """Whether calls are refused."""
        return self._closed

    @property
    def waiting(self) -> int:
        """Calls that have not started."""
        return len(self._calls)

    @property
    def is_current(self) -> bool:
        """Whether the calling thread is the one that runs the calls."""
        return self._serving.get("thread") is threading.current_thread()

    def submit(self, call: Runnable) -> None:
        """Have the thread run it, after those that came before; waits while too many do.

        If Ctrl-C comes, the call may run or not.

        Raises
        ------
        PoolClosedError
            The driver is closed, or is closed meanwhile.
        RuntimeError
            It would wait in the driver's own thread.
        OSError
            The system refused to start the thread.
        """
        while len(self._calls) >= self._maxsize and not self._closed:
            self._await_room()
        if self._closed:
            raise PoolClosedError(f"{self.name} is closed")
        if not self._serving:
            self._start()
        try:
            self._calls.append(call)
        finally:
            self._tokens.put(None)
        if self._ended:  # closed meanwhile, and nothing takes calls any more
            self._cancel_all()

    def _await_room(self) -> None:
        if self.is_current:
            raise RuntimeError(f"{self.name} has {self._maxsize} calls waiting, and this one of "
                               "its own would wait for them")
        woken = threading.Lock()
        woken.acquire()
        self._waiters.append(woken)
        # Looked at again: the thread wakes those that it finds after it has taken a call.
        if len(self._calls) >= self._maxsize and not self._closed:
            woken.acquire()

    def _wake_waiters(self) -> None:
        while self._waiters:
            self._waiters.popleft().release()

    def stop(self) -> None:
        """Refuse further calls; the thread ends after those that are waiting."""
        self._closed = True
        self._tokens.put(None)
        self._wake_waiters()

    def close(self, *, cancel: bool = False) -> None:
        """`stop`, or cancel the waiting calls; then wait for the thread.

        Raises
        ------
        RuntimeError
            Called in the thread itself.
        """
        if self.is_current:
            raise RuntimeError(f"{self.name} cannot be closed by one of its own calls")
        self.stop()
        if cancel:
            self._cancel_all()
        for thread in self._threads.copy():
            if thread.ident is not None:
                thread.join()

    def _cancel_all(self) -> None:
        for call in self._calls.copy():  # they stay: a cancelled call does nothing when it is run
            call.cancel()

    def _start(self) -> None:
        # A daemon: the interpreter would wait for any other before it calls `_finish_all`.
        thread = threading.Thread(target=self._body, name=self.name, daemon=True)
        self._threads.append(thread)
        try:
            thread.start()
        except RuntimeError as error:
            self._threads.remove(thread)
            raise OSError(errno.EAGAIN, f"{os.strerror(errno.EAGAIN)}: the system refused to start "
                          f"the thread of {self.name}") from error
        self._serving.setdefault("thread", thread)

    def _body(self) -> None:
        me = threading.current_thread()
        if self._serving.setdefault("thread", me) is not me:
            return  # two callers have started one
        refusal = None
        try:
            self._enter()
        except BaseException as error:
            refusal = error
        while self._run_next(refusal):
            pass
        if self.is_current:
            self._leave()

    def _run_next(self, refusal: BaseException | None) -> bool:
        """False: there will be no further call."""
        if not self._calls and self._closed:
            self._ended = True
        if not self._calls and self._ended:
            return False
        if self._calls:  # a call whose token Ctrl-C prevented runs with the next one
            with suppress(Empty):
                self._tokens.get_nowait()
        else:
            self._tokens.get()
            return True
        call = self._running = self._calls.popleft()
        self._wake_waiters()
        try:
            call.run(refusal)
        except BaseException:  # of a callback; the future has logged it if it is an Exception
            traceback.print_exc()
        if not self.is_current:
            return False  # in a child that the call forked
        self._running = None
        return True

    def lose_calls(self) -> None:
        """In a forked child: a call that forked goes on, the others are lost."""
        lost = list(self._calls)
        if self._running is not None and not self.is_current:
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
