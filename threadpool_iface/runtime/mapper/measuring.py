"""All configurations in turns, since machines drift: a figure is the median over the rounds."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from math import inf
from time import monotonic

from ...arguments import checked_int
from ...topology.cpu_pool import CPUPool
from .choice import Map
from .configurations import POOLS, Configuration, configurations
from .instances import InstanceError, run_instances
from .statistics import run_of
from .store import Store

#: Called before each run with the runs that are done, how many there will be, and what comes.
Progress = Callable[[int, int, Configuration], None]


def measure(script: str, arguments: Sequence[str] = (), *, cpu_pool: CPUPool | None = None,
            pools: Sequence[str] = POOLS, rounds: int = 5, time_limit: float | None = None,
            results: str | os.PathLike[str] | None = None,
            progress: Progress | None = None) -> Map:
    """Run a Python script at every sensible number of instances, cores of each and kind of pool.

    The script does its work and ends; it may `report` what it did, else its whole run counts as
    one item. Nothing that it starts is left running, also if an exception comes.

    Parameters
    ----------
    script, arguments
        As for `python script arguments`.
    cpu_pool : CPUPool, optional
        The cores to share out; by default one hardware thread of each that this process may use.
    pools : sequence of "omp", "eigen"
        The kinds to try.
    rounds : int
        Runs of each configuration.
    time_limit : float, optional
        Seconds, after which what has been measured so far is the result.
    results : path, optional
        A JSON file that keeps every run; one that is there is gone on with.
    progress : callable, optional
        See `Progress`.

    Raises
    ------
    TypeError, ValueError
        An argument outside its domain; or the file holds something else.
    OSError
        A process could not be started, or the file not be written.
    """
    rounds = checked_int(rounds, "rounds", 1)
    if not os.path.exists(script):
        raise ValueError(f"script {script!r} does not exist")
    if time_limit is not None and not time_limit > 0:
        raise ValueError(f"time_limit must be above 0 seconds, not {time_limit!r}")
    cores = CPUPool.physical() if cpu_pool is None else cpu_pool
    planned = configurations(len(cores), pools)
    command = [sys.executable, os.fspath(script), *arguments]
    store = Store(results, command[1:], cores.core_ids)
    deadline = monotonic() + (inf if time_limit is None else time_limit)
    _run_all(_Plan(command, cores, planned, rounds, deadline), store, progress)
    return Map({each: store.runs.get(each, []) for each in planned},
               {each: why for each, why in store.failed.items() if each in planned})


class _Plan:
    """What is to be run, until when."""

    def __init__(self, command: Sequence[str], cores: CPUPool, planned: Sequence[Configuration],
                 rounds: int, deadline: float) -> None:
        self.command, self.cores, self.planned = command, cores, planned
        self.rounds, self.deadline = rounds, deadline

    def order(self, number: int) -> list[Configuration]:
        """Of a round: a different one starts each time."""
        first = number % len(self.planned)
        return [*self.planned[first:], *self.planned[:first]]


def _run_all(plan: _Plan, store: Store, progress: Progress | None) -> None:
    total = plan.rounds * len(plan.planned)
    for number in range(plan.rounds):
        for each in plan.order(number):
            if each in store.failed or len(store.runs.get(each, [])) > number:
                continue
            if progress is not None:
                progress(sum(map(len, store.runs.values())), total, each)
            if not _run(plan, each, store):
                return


def _run(plan: _Plan, each: Configuration, store: Store) -> bool:
    """False: the time was over."""
    try:
        reports = run_instances(plan.command, each.shares(plan.cores), each.pool, plan.deadline)
    except InstanceError as error:
        store.fail(each, str(error))
        return True
    if reports is None:
        return False
    store.add(each, run_of(reports))
    return True
