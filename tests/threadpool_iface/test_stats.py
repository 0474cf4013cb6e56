"""Counters of pools, parking on request, limits read again."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest

from threadpool_iface import EigenLikePool, OmpLikePool, PoolStats, SequentialPool, threadpool
from threadpool_iface import parallel as run

from .pools_under_test import ALL

pytestmark = pytest.mark.filterwarnings("ignore::threadpool_iface.OversubscriptionWarning")
KINDS = [OmpLikePool, EigenLikePool]


@pytest.mark.parametrize("name", ALL)
def test_regions_and_tasks_are_always_counted(name):
    with ALL[name]() as pool:
        with threadpool(pool):
            run(3, lambda i, n: run(5, lambda i, n: None))  # the nested ones run inline
        pool.parallel_for(10, lambda i, n: None)
        pool.wait()
        assert (pool.stats().regions, pool.stats().tasks) == (2, 13)


def test_the_rest_is_none_unless_asked_for():
    for pool in (OmpLikePool(2), EigenLikePool(2), SequentialPool()):
        pool.parallel_for(4, lambda i, n: None)
        assert pool.stats() == PoolStats(1, 4)
        pool.close()


@pytest.mark.parametrize("kind", KINDS)
def test_parks_wakes_and_idle_time_are_counted_when_asked_for(kind):
    with kind(2, blocktime=0, stats=True) as pool:
        for _ in range(5):
            pool.run_together(2, lambda i, n: None)
            time.sleep(0.02)
        seen = pool.stats()
    assert seen.regions == 5
    assert seen.parks >= 4
    assert seen.wakes >= 4
    assert 0.04 < seen.idle < 60.0


def test_steals_are_counted():
    with EigenLikePool(3, stats=True) as pool:
        def spread():
            for latch in [pool.schedule(time.sleep, 0.001) for _ in range(40)]:
                latch.wait()

        pool.schedule(spread)
        time.sleep(0.005)
        pool.wait()
        assert pool.stats().steals > 0


def _voluntary_switches(name: str) -> int:
    """Of the process's threads with this name."""
    total = 0
    for task in os.listdir("/proc/self/task"):
        with open(f"/proc/self/task/{task}/comm") as comm, \
                open(f"/proc/self/task/{task}/status") as status:
            if comm.read().startswith(name):
                total += sum(int(line.split()[1]) for line in status
                             if line.startswith("voluntary_ctxt"))
    return total


@pytest.mark.parametrize(("kind", "name"), [(OmpLikePool, "tpi-fj"), (EigenLikePool, "tpi-ws")])
def test_park_sends_workers_to_sleep_and_regions_wake_them(kind, name):
    with kind(2, blocktime=float("inf"), stats=True) as pool:
        pool.run_together(2, lambda i, n: None)
        time.sleep(0.02)
        assert pool.stats().parks == 0
        pool.park()
        deadline = time.monotonic() + 20
        while pool.stats().parks == 0 and time.monotonic() < deadline:
            time.sleep(0.001)
        assert pool.stats().parks == 1
        pool.run_together(2, lambda i, n: None)
        assert pool.stats().wakes == 1
        assert _voluntary_switches(name) > 0


@pytest.mark.parametrize("name", ALL)
def test_park_is_harmless_on_every_pool(name):
    with ALL[name]() as pool:
        pool.park()
        pool.run_together(1, lambda i, n: None)
        pool.park()
    pool.park()


def test_refresh_reads_the_limits_again():
    code = """
import os, warnings
import threadpool_iface as tpi
before = tpi.get_max_threads()
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
print(tpi.get_max_threads() == before, tpi.refresh(), tpi.get_max_threads(),
      tpi.OmpLikePool().num_threads)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout == "True 1 1 1\n", done.stderr
