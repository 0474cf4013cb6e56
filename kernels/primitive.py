"""What every primitive does around its kernel: bounds, splits, streams, errors, verbose lines.

A primitive never changes after creation and may be executed by any number of threads at once; each
execution works in a scratchpad of its own.
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from time import perf_counter
from typing import Any, ClassVar, Self

import numpy as np

from threadpool_iface import (
    Decomposition,
    PrimitiveAttr,
    Stream,
    ThreadpoolError,
    get_max_threads,
    get_threadpool,
    verbose,
)
from threadpool_iface.active import within_limit
from threadpool_iface.errors import check

from . import tuning
from .cache import primitives
from .packed import PackedWeights, aligned_array
from .scratchpad import Scratchpads
from .words import CALLER, EFFECTIVE_POOL


@dataclass(frozen=True)
class Split:
    """A decomposition made executable: the plan that holds it and the scratchpads it needs."""

    decomposition: Decomposition
    plan: np.ndarray
    scratchpads: Scratchpads
    threads_offset: int  # bytes from the context to the slots that `note_thread` fills
    alive: tuple[np.ndarray, ...]  # what the plan's addresses point to


class Primitive(ABC):
    """Base of Matmul, Conv2d and the others."""

    kind: ClassVar[str]

    descriptor: Any
    attr: PrimitiveAttr
    bound: int  # the attribute's, or `get_max_threads()` at creation

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        # The arguments were __new__'s, which may have returned a primitive that already existed.
        super().__init__()

    @classmethod
    def _cached(cls, descriptor: Any, attr: Any, started: float) -> Self:
        """The primitive for these, from the cache or made now; `started` is when it was asked."""
        if not isinstance(attr, PrimitiveAttr):
            raise TypeError(f"attr must be a PrimitiveAttr, not {attr!r}")
        bound = get_max_threads() if attr.max_num_threads is None else attr.max_num_threads

        def create() -> Self:
            made = object.__new__(cls)
            made._set_up(descriptor, attr, bound, started)
            return made

        found: Self = primitives.get_or_create((cls, descriptor, attr, bound), create)
        return found

    def _set_up(self, descriptor: Any, attr: PrimitiveAttr, bound: int, started: float) -> None:
        self.descriptor, self.attr, self.bound = descriptor, attr, bound
        self._splits: dict[int, Split] = {}
        self._last = threading.local()
        self._at_execution = attr.decomposition == "execution"
        self._created = self._split(max(1, bound))
        if verbose.level >= 2:
            self._emit("create", self._created, f"created:{self._created.decomposition.tasks}",
                       "-", f"{1e3 * (perf_counter() - started):.3f}")

    @property
    def decomposition(self) -> Decomposition:
        """How the work is split; with `decomposition="execution"`, this thread's last split."""
        split = getattr(self._last, "split", self._created) if self._at_execution else self._created
        return split.decomposition

    @property
    @abstractmethod
    def kernel_name(self) -> str:
        """The kernel and its ISA, as in a verbose line."""

    @abstractmethod
    def __call__(self, *operands: Any, **keywords: Any) -> np.ndarray: ...

    @abstractmethod
    def _decompose(self, bound: int) -> Decomposition: ...

    @abstractmethod
    def _make_split(self, decomposition: Decomposition) -> Split: ...

    @abstractmethod
    def _example(self) -> tuple[np.ndarray | PackedWeights, ...]:
        """Positional operands of a call, without `out`; packed where they can be."""

    def _searched(self, model: Decomposition, bound: int) -> Decomposition:
        """The fastest of the model's candidates. Only while nobody else has this primitive."""
        pool = get_threadpool()
        if pool is None:
            return model
        operands = cache(self._example)
        out = cache(lambda: np.empty(self.descriptor.out_shape, self.descriptor.dtype))

        def trial(candidate: Decomposition) -> Callable[[], object]:
            split = self._created = self._make_split(candidate)

            def call() -> None:
                self._created = split
                self(*operands(), out=out())

            return call

        name = tuning.key(self.kind, self.kernel_name, self.descriptor, bound, pool)
        return tuning.search(name, model, trial)

    def _split(self, tasks: int) -> Split:
        split = self._splits.get(tasks)
        if split is None:
            decomposition = self.attr.decomposition
            if not isinstance(decomposition, Decomposition):
                decomposition = self._decompose(tasks)
                if self.attr.tuning == "search":
                    decomposition = self._searched(decomposition, tasks)
            else:
                decomposition = self._fitted(decomposition, tasks)
            split = self._splits.setdefault(tasks, self._make_split(decomposition))
        return split

    def _fitted(self, given: Decomposition, bound: int) -> Decomposition:
        """A decomposition from the user, completed with this problem's extents."""
        own = self._decompose(1)
        if given.dims != own.dims:
            raise ValueError(
                f"decomposition splits {given.dims}; a {type(self).__name__} splits {own.dims}"
            )
        if any(g > e for g, e in zip(given.grid, own.extent, strict=True)):
            raise ValueError(
                f"decomposition has the grid {given.grid}, more parts than the {own.extent} units "
                f"of {own.dims}"
            )
        if given.tasks > bound:
            raise ValueError(
                f"decomposition has {given.tasks} tasks, more than max_num_threads allows ({bound})"
            )
        return Decomposition(own.dims, given.grid, own.extent, own.tile, given.reason)

    def _execute(
        self, stream: Stream | None, run: Callable[..., int], *operands: np.ndarray
    ) -> None:
        """`run(pool, plan, scratch, verbose, *operands)` where the stream says; raise its error."""
        if stream is not None and not isinstance(stream, Stream):
            raise TypeError(f"stream must be a Stream or None, not {stream!r}")
        pool = CALLER if self.bound == 0 else EFFECTIVE_POOL if stream is None else stream.handle
        split = self._split_for(stream) if self._at_execution else self._created
        scratch = split.scratchpads.take()
        if verbose.level:
            code = self._reported(stream, split, run, pool, scratch, operands)
        else:
            code = run(pool, split.plan, scratch, False, *operands)
        split.scratchpads.give(scratch)
        if code:
            _fail(code, stream)

    def _packed(
        self, run: Callable[..., int], weights: np.ndarray, count: int, layout: tuple[Any, ...]
    ) -> PackedWeights:
        """Weights in a new buffer, filled by `run(pool, plan, scratch, weights, buffer)`."""
        panels = aligned_array(count, self.descriptor.dtype)
        if count:
            pads = self._created.scratchpads
            scratch = pads.take()
            pool = CALLER if self.bound == 0 else EFFECTIVE_POOL
            check(run(pool, self._created.plan, scratch, weights, panels))
            pads.give(scratch)
        return PackedWeights(layout, panels)

    def _split_for(self, stream: Stream | None) -> Split:
        if self.bound == 0:
            size = 1
        else:
            pool = get_threadpool() if stream is None else stream.threadpool
            size = 1 if pool is None else min(self.bound, within_limit(pool.num_threads))
        self._last.split = split = self._split(size)
        return split

    def _reported(
        self, stream: Stream | None, split: Split, run: Callable[..., int], pool: int,
        scratch: np.ndarray, operands: tuple[np.ndarray, ...],
    ) -> int:
        start = perf_counter()
        code = run(pool, split.plan, scratch, True, *operands)
        milliseconds = 1e3 * (perf_counter() - start)
        tasks = split.decomposition.tasks
        threads = _distinct_threads(scratch, split.threads_offset, tasks)
        where = get_threadpool() if stream is None else stream.threadpool
        self._emit("exec", split, f"created:{tasks}/ran:{threads}",
                   "caller" if pool == CALLER or where is None else
                   f"{type(where).__name__}:{where.num_threads}", f"{milliseconds:.3f}")
        return code

    def _emit(self, event: str, split: Split, *rest: object) -> None:
        bound = self.attr.max_num_threads
        attributes = f"max_num_threads:{self.bound}{' (default)' * (bound is None)}"
        grid = "x".join(map(str, split.decomposition.grid))
        verbose.emit(event, self.kind, self.kernel_name, self.descriptor, attributes, grid, *rest)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.descriptor}, {self.decomposition}>"


def _fail(code: int, stream: Stream | None) -> None:
    try:
        check(code)
    except ThreadpoolError as error:
        if stream is None:
            raise
        stream.keep(error)


def _distinct_threads(scratch: np.ndarray, offset: int, tasks: int) -> int:
    start = (-scratch.ctypes.data % 64 + offset) // 8
    return len(np.unique(scratch[start : start + tasks]))
