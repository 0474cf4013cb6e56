"""`PrimitiveAttr(tuning="search")`: time the cost model's best candidates, remember the winner.

Winners are kept for later processes, by problem, bound, instruction set, CPU and pool. Only a grid
is chosen, so the result has the same bits as without.
"""

from __future__ import annotations

import os
import threading
import warnings
from collections.abc import Callable
from statistics import median
from time import perf_counter
from typing import Any

from threadpool_iface import Decomposition, ThreadpoolIface
from threadpool_iface.user_files import read_json, write_json

from .costs import identity

FILE = "tuning.json"
#: A candidate must beat the model's choice by this much, or it is noise.
LEAST_GAIN = 0.03
_TURNS = 5
_SECONDS = 200e-6
_lock = threading.Lock()


def _renew_lock() -> None:
    """In a forked child: a thread that does not exist there may hold it."""
    global _lock
    _lock = threading.Lock()


os.register_at_fork(after_in_child=_renew_lock)


def key(kind: str, kernel: str, descriptor: Any, bound: int, pool: ThreadpoolIface) -> str:
    """What a winner is valid for."""
    return (f"{kind} {kernel} {descriptor} bound:{bound} {type(pool).__name__}:{pool.num_threads} "
            f"{identity()['cpu']}")


def search(
    name: str, model: Decomposition, trial: Callable[[Decomposition], Callable[[], object]]
) -> Decomposition:
    """The fastest of the model's candidates, from the file or timed now.

    Parameters
    ----------
    name
        From `key`.
    model
        The cost model's choice; its predictions are the candidates.
    trial
        Makes of a candidate a call that executes it.
    """
    candidates = [grid for grid, _ in model.predictions]
    if len(candidates) < 2:
        return model
    kept = read_json(FILE).get(name)
    if kept is not None and tuple(kept) in candidates:
        return _with_grid(model, tuple(kept), "found by an earlier search")
    seconds = _race([trial(_with_grid(model, grid, "a candidate")) for grid in candidates])
    own = seconds[candidates.index(model.grid)]
    best = min(range(len(candidates)), key=seconds.__getitem__)
    if seconds[best] > (1 - LEAST_GAIN) * own:
        best = candidates.index(model.grid)
    _remember(name, candidates[best])
    gain = f"{own / seconds[best]:.2f}x as fast as the model's" if candidates[best] != (
        model.grid) else "the model's was within noise of the best"
    return _with_grid(model, candidates[best], f"found by search: {gain}")


def _with_grid(model: Decomposition, grid: tuple[int, ...], reason: str) -> Decomposition:
    return Decomposition(model.dims, grid, model.extent, model.tile, reason, model.predictions)


def _race(calls: list[Callable[[], object]]) -> list[float]:
    """Median seconds of each, in turns."""
    counts = []
    for call in calls:
        call()
        start = perf_counter()
        call()
        counts.append(max(1, int(_SECONDS / max(perf_counter() - start, 1e-7))))
    times: list[list[float]] = [[] for _ in calls]
    for _ in range(_TURNS):
        for call, count, mine in zip(calls, counts, times, strict=True):
            start = perf_counter()
            for _ in range(count):
                call()
            mine.append((perf_counter() - start) / count)
    return [median(mine) for mine in times]


def _remember(name: str, grid: tuple[int, ...]) -> None:
    """For later processes; two that write at once may lose one of the winners, never the file."""
    with _lock:
        try:
            write_json(FILE, {**read_json(FILE), name: list(grid)})
        except OSError as error:
            warnings.warn(f"the result of a search is not kept: {error}", RuntimeWarning,
                          stacklevel=4)
