"""MultiStream: a function whose batches are split over streams."""

from __future__ import annotations

import inspect
import os
import threading
import warnings
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

from ...arguments import checked_int
from ...decomposition import balance211
from ...errors import GilHeldWarning, PoolClosedError
from ...topology.cpu_pool import CPUPool
from ..pools import Factory, checked_cores, checked_factory
from ..torch_modes import with_modes_of_caller
from .batch import Batch
from .hint import Hint
from .joined import Joined, Listed, Results, tree_of, whole_out
from .team import Team, Times
from .trees import part
from .tuning import candidates, fastest
from .turns import Watch


class _Inside(threading.local):
    """The MultiStreams whose functions this thread is running, the outermost first."""

    of: tuple[MultiStream, ...] = ()


_inside = _Inside()


class MultiStream:
    """`stream(x)` is `fn(x)`, its batch split over streams that run at the same time.

    Each stream is a thread bound to its share of the cores, with a pool of its own active; each
    gets an even part of the batch, the first ones an item more where some are over. A batch with
    fewer items than streams is shared by as many streams as it has items, which then share all the
    cores. Results are joined: each stream copies its part into one array, once. If `fn` takes
    `out=`, `stream(x, out=y)` gives each stream its part of `y`, and nothing is copied.

    Streams run in PyTorch's modes of the caller (`torch.no_grad()`, `torch.inference_mode()`,
    `torch.autocast("cpu")`), if the program has imported PyTorch 2.4 or later. Results that require
    a gradient are joined by the caller.

    Streams overlap where `fn` releases the GIL, as our primitives and numba's `nogil` functions do;
    where it holds it they take turns, and a GilHeldWarning says so, once.

    Parameters
    ----------
    fn : callable
        Called with a part of the batch.
    num_streams : int or "auto"
        At most one for each core. "auto" finds out: the first batch, and the first of each further
        class of batch sizes (1, 2-3, 4-7, 8-15, ...), is run several times with each sensible
        number, and the fastest is kept. Give a number if `fn` must not see a batch twice.
    cpu_pool : CPUPool, optional
        The cores; by default all that this process may use.
    concat_output : bool
        False: the call returns a list of what each stream returned.
    input_hint : Hint, optional
        The batch axis of each argument, None for what every stream gets whole. By default axis 0 of
        every argument that is an array.
    output_hint : Hint, optional
        The batch axis of each result, None for what is not joined: it becomes a list of one value
        for each stream. By default axis 0 of every array in the result.
    pool : "omp", "eigen" or callable
        The kind of the streams' pools, as for `pin`.

    Calling raises, beside what `fn` raises: TypeError or ValueError where the arguments cannot be
    split or the results not be joined, PoolClosedError after `close`, and RuntimeError if `fn`
    calls its own MultiStream. An error arrives once, after all streams have ended; then the object
    goes on working. Any number of threads may call at once: their batches queue at each stream.

    Threads start with the first call. Forks, the interpreter's end and dropping are as for `Task`.

    Raises
    ------
    TypeError, ValueError
        An argument outside its domain.
    """

    def __init__(self, fn: Callable[..., Any], num_streams: int | str = "auto",
                 cpu_pool: CPUPool | None = None, concat_output: bool = True, *,
                 input_hint: Hint | None = None, output_hint: Hint | None = None,
                 pool: str | Factory = "omp") -> None:
        if not callable(fn):
            raise TypeError(f"fn must be callable, not {fn!r}")
        self._function, self._takes_out = fn, _takes_out(fn)
        self._cpu_pool = CPUPool() if cpu_pool is None else checked_cores(cpu_pool)
        self._count = _checked_count(num_streams, self._cpu_pool)
        if not isinstance(concat_output, bool):
            raise TypeError(f"concat_output must be True or False, not {concat_output!r}")
        self._concat = concat_output
        self._input_hint = _checked_hint(input_hint, "input_hint")
        self._output_hint = _checked_hint(output_hint, "output_hint")
        if self._output_hint is not None:
            self._output_hint.of_result()
        self._factory = checked_factory(pool)
        self._teams: dict[int, Team] = {}
        self._choices: dict[int, int] = {}
        #: The thread that looks for the number of streams, by process: a child forked meanwhile
        #: does not have it.
        self._searching: dict[int, int] = {}
        self._watch = Watch()
        self._closed = False
        self._team(self._count or len(self._cpu_pool))

    def __call__(self, /, *args: Any, out: Any = None, **kwargs: Any) -> Any:
        """`fn(*args, **kwargs)`; with `out`, arrays shaped as the result, that is where it goes."""
        self._require_usable()
        batch = Batch(args, kwargs, self._input_hint)
        if out is not None:
            self._check_out(out, batch)
        count = self._count or self._choices.get(batch.size.bit_length())
        if count is None:
            result = self._first_of_its_size(batch, out)
        else:
            result = self._run(batch, out, min(count, max(1, batch.size)))[0]
        turns = self._watch.news()
        if turns is not None:
            self._warn(turns)
        return result

    def _first_of_its_size(self, batch: Batch, out: Any) -> Any:
        counts = candidates(len(self._cpu_pool), batch.size)
        me = threading.get_ident()
        if self._searching.setdefault(os.getpid(), me) != me:
            return self._run(batch, out, counts[-1])[0]
        try:
            result = None
            last = 0

            def run(count: int) -> float:
                nonlocal result, last
                if last != count and last:
                    self._team(last).park()
                last = count
                result, seconds = self._run(batch, out, count)
                return seconds

            best = fastest(counts, run)
            if not last:
                run(best)
            self._choices[batch.size.bit_length()] = best
        finally:
            del self._searching[os.getpid()]
        return result

    def _run(self, batch: Batch, out: Any, count: int) -> tuple[Any, float]:
        results = self._results(batch.size, count, out)
        inside = (*_inside.of, self)
        works = [with_modes_of_caller(self._work(batch, out, results, inside, stream, count))
                 for stream in range(count)]
        watched = count > 1 and self._watch.watching
        times = self._team(count).run(works, watched=watched)
        if watched:
            self._watch.see(times)
        return results.whole(), times.elapsed

    def _results(self, items: int, count: int, out: Any) -> Results:
        if out is not None and self._takes_out:
            return _Written(out)
        if self._concat:
            return Joined(items, count, self._output_hint, out)
        return Listed(count)

    def _work(self, batch: Batch, out: Any, results: Results, inside: tuple[MultiStream, ...],
              stream: int, count: int) -> Callable[[], None]:
        begin, end = balance211(batch.size, count, stream)

        def work() -> None:
            args, kwargs = batch.part(begin, end)
            if out is not None and self._takes_out:
                kwargs["out"] = part(out, self._tree_of_out(out), begin, end)
            _inside.of = inside
            try:
                result = self._function(*args, **kwargs)
            finally:
                _inside.of = ()
            results.put(stream, begin, end, result)

        return work

    def _check_out(self, out: Any, batch: Batch) -> None:
        if not self._concat:
            raise ValueError("out is for joined results: it cannot be given with "
                             "concat_output=False")
        whole_out(out, self._tree_of_out(out), batch.size)

    def _tree_of_out(self, out: Any) -> Any:
        if self._output_hint is None:
            return tree_of(out, "out")
        return self._output_hint.of_result()

    def _team(self, count: int) -> Team:
        team = self._teams.get(count)
        if team is None:
            # Two threads that ask at once may each make one; no thread of the second has started.
            team = self._teams.setdefault(
                count, Team(_name(self._function), self._cpu_pool, count, self._factory))
        return team

    def _require_usable(self) -> None:
        if self._closed:
            raise PoolClosedError(f"MultiStream({_name(self._function)}) is closed")
        if self in _inside.of:
            raise RuntimeError(f"MultiStream({_name(self._function)}) is called by its own "
                               "function, which would wait for itself")

    def _warn(self, times: Times) -> None:
        warnings.warn(
            f"streams of {_name(self._function)} take turns: {len(times.busy)} of them took "
            f"{1e3 * times.elapsed:.3g} ms, as long as one after the other. It holds the GIL, so "
            "more streams make nothing faster; use functions that release it, or processes",
            GilHeldWarning, stacklevel=3)

    @property
    def cpu_pool(self) -> CPUPool:
        """The cores."""
        return self._cpu_pool

    @property
    def num_streams(self) -> int | str:
        """As given."""
        return self._count or "auto"

    @property
    def choices(self) -> dict[str, int]:
        """What "auto" has found so far: the number of streams by class of batch sizes."""
        return {_sizes(bits): count for bits, count in sorted(self._choices.items())}

    def forget_choices(self) -> None:
        """Have "auto" find out again, for a function or a machine that has changed."""
        self._choices.clear()

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._closed

    def close(self) -> None:
        """Refuse further calls, wait for those that were made, and end the threads.

        Raises
        ------
        RuntimeError
            Called by the function itself.
        """
        if self in _inside.of:
            raise RuntimeError(f"MultiStream({_name(self._function)}) cannot be closed by its own "
                               "function")
        self._closed = True
        for team in list(self._teams.values()):
            team.close()

    def __enter__(self) -> Self:
        """Itself; leaving the block closes it."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        found = ", ".join(f"{count} for {sizes}" for sizes, count in self.choices.items())
        state = "closed" if self._closed else " ".join(filter(None, [str(self.num_streams), found]))
        return f"<MultiStream: {self._function!r} on {self._cpu_pool!r}, {state}>"


class _Written:
    """Results that the function has written where they belong."""

    def __init__(self, out: Any) -> None:
        self._out = out

    def put(self, stream: int, begin: int, end: int, result: Any) -> None:
        """Nothing is left to do."""

    def whole(self) -> Any:
        """What they were written to."""
        return self._out


def _sizes(bits: int) -> str:
    first, last = 1 << bits >> 1, (1 << bits) - 1
    return str(first) if first == last else f"{first}-{last}"


def _name(function: Callable[..., Any]) -> str:
    return str(getattr(function, "__name__", type(function).__name__))


def _takes_out(function: Callable[..., Any]) -> bool:
    with suppress(TypeError, ValueError):  # some written in C do not tell
        parameter = inspect.signature(function).parameters.get("out")
        return parameter is not None and parameter.kind in (
            parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)
    return False


def _checked_count(num_streams: int | str, cores: CPUPool) -> int:
    """0: it is to be found out."""
    if isinstance(num_streams, str):
        if num_streams.lower() == "auto":
            return 0
        raise ValueError(f'num_streams must be "auto" or in 1..{len(cores)}, not {num_streams!r}')
    return checked_int(num_streams, "num_streams", 1, len(cores))


def _checked_hint(hint: Hint | None, name: str) -> Hint | None:
    if hint is not None and not isinstance(hint, Hint):
        raise TypeError(f"{name} must be a Hint, such as Hint(0), not {hint!r}")
    return hint
