"""What the pools are held to, from the experiments of `bench.pools`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from threadpool_iface import default_num_threads

from . import pools
from .sections import Group

BLOCKS = 9
PEERS = ("libgomp", "libomp", "libiomp5", "tbb", "eigen-ref")
PEER_LOOPS = ("libgomp-dynamic", "libomp-dynamic", "tbb-auto", "eigen-ref")


@dataclass(frozen=True)
class Row:
    """One target: what is measured, the limit, what was seen, and whether smaller is better."""

    what: str
    limit: float
    seen: float
    at_most: bool = True

    @property
    def met(self) -> bool:
        return self.seen <= self.limit if self.at_most else self.seen >= self.limit

    def __str__(self) -> str:
        word = "at most" if self.at_most else "at least"
        verdict = "met   " if self.met else "MISSED"
        return f"{verdict}  {self.seen:6.2f}  ({word} {self.limit:g})  {self.what}"


def _plan() -> pools.Plan:
    return pools.Plan(default_num_threads(), BLOCKS, 0.1, (50, 500, 5000), 3)


def _medians(group: Group) -> dict[str, float]:
    return {m.contender: m.median for m in group.measurements}


def _best(values: dict[str, float], names: Sequence[str]) -> float:
    return min(values[name] for name in names if name in values)


def latency() -> list[Row]:
    """Regions of rendezvous tasks, from C."""
    hot, _, busy = pools.latency(_plan())
    seconds, later = _medians(hot), _medians(busy)
    p99 = {m.contender: m.p99 for m in hot.measurements}
    rows = [
        Row("hot region, OmpLikePool / best of libgomp, libomp, libiomp5, oneTBB and Eigen", 0.85,
            seconds["omp"] / _best(seconds, PEERS)),
        Row("region after 1 ms of work, OmpLikePool / best of them", 0.6,
            later["omp"] / _best(later, PEERS)),
        Row("hot region, EigenLikePool: p99 / median", 5.0, p99["eigen"] / seconds["eigen"]),
    ]
    if "eigen-ref" in seconds:
        rows += [Row("hot region, EigenLikePool / Eigen", 1.0,
                     seconds["eigen"] / seconds["eigen-ref"]),
                 Row("the same, p99", 0.3, p99["eigen"] / p99["eigen-ref"])]
    return rows


def from_python() -> list[Row]:
    """One call of `parallel` with a native task that returns at once."""
    groups = pools.python_calls(_plan())
    return [Row(f"parallel(2, native task) from Python, {m.contender}, us", 1.0, 1e6 * m.median)
            for group in groups for m in group.measurements]


def loops() -> list[Row]:
    """Loops of uneven chunks, five skews of three sizes."""
    means = pools.speed_up_means(pools.loops(_plan()))
    best = max(means[name] for name in PEER_LOOPS if name in means)
    return [Row(f"uneven loops, {name}: speed-up / best of libgomp dynamic, libomp dynamic, "
                "TBB auto, Eigen", 1.0, means[name] / best, at_most=False)
            for name in ("omp-dynamic", "eigen")]


def oversubscribed() -> list[Row]:
    """Four threads for each CPU."""
    _, work = pools.oversubscribed(_plan())
    seconds = _medians(work)
    ideal = seconds["sequential"] / default_num_threads()
    return [Row(f"{work.label} on {default_num_threads()} CPUs, {name}: time / ideal", 1.15,
                seconds[name] / ideal) for name in ("omp", "eigen")]


def two_pools() -> list[Row]:
    """Empty regions on two pools in turn."""
    seconds = _medians(pools.two_pools(_plan())[0])
    return [Row(f"empty regions on two pools in turn, {name}, us", 5.0, 1e6 * seconds[name])
            for name in ("omp+omp", "eigen+eigen", "omp+eigen")]


def neighbour() -> list[Row]:
    """A GEMM beside a process that spins on one CPU."""
    quiet, busy = map(_medians, pools.neighbour(_plan()))
    return [Row(f"GEMM {pools.NEIGHBOUR_GEMM} beside a busy neighbour, {name}: time / quiet", 2.2,
                busy[name] / quiet[name]) for name in ("omp", "eigen")]


TARGETS: tuple[Callable[[], list[Row]], ...] = (
    latency, from_python, loops, oversubscribed, two_pools, neighbour)
