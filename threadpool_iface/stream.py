"""Stream: where a primitive is executed."""

from __future__ import annotations

from .errors import ThreadpoolError
from .iface import ThreadpoolIface


class Stream:
    """Carries the pool that primitives executed on it use.

    Parameters
    ----------
    threadpool : ThreadpoolIface or None
        The pool; `None` is sequential, on the calling thread, even where a pool is active.
    asynchronous : bool
        A call on the stream may then return before its result is complete, and an error of the
        pool is kept until `wait()`. Arguments are always checked at the call.

    A primitive called without a stream uses the calling thread's active pool. A stream may be used
    by any number of threads at once.

    Raises
    ------
    TypeError
        `threadpool` is neither a pool nor None, or `asynchronous` is not a bool.
    """

    __slots__ = ("_errors", "_pool", "asynchronous")

    def __init__(
        self, threadpool: ThreadpoolIface | None = None, *, asynchronous: bool = False
    ) -> None:
        if threadpool is not None and not isinstance(threadpool, ThreadpoolIface):
            raise TypeError(f"threadpool must be a ThreadpoolIface or None, not {threadpool!r}")
        if not isinstance(asynchronous, bool):
            raise TypeError(f"asynchronous must be a bool, not {asynchronous!r}")
        self._pool = threadpool
        self.asynchronous = asynchronous
        self._errors: list[BaseException] = []

    @property
    def threadpool(self) -> ThreadpoolIface | None:
        """The stream's pool; None: sequential."""
        return self._pool

    @property
    def handle(self) -> int:
        """Address of the pool's native handle, 0 for a sequential stream."""
        return 0 if self._pool is None else self._pool.handle

    def keep(self, error: ThreadpoolError) -> None:
        """Hold an execution's error for `wait()`; raise it now if the stream is synchronous."""
        if not self.asynchronous:
            raise error
        self._errors.append(error)

    def wait(self) -> None:
        """Until everything executed on the stream is complete; raises its first error, once."""
        if self._pool is not None:
            self._pool.wait()
        errors, self._errors = self._errors, []
        if errors:
            raise errors[0]

    def __repr__(self) -> str:
        kind = ", asynchronous=True" if self.asynchronous else ""
        return f"Stream({self._pool!r}{kind})"
