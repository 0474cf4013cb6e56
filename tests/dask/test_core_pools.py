"""Dask workers on cores of their own: whose cores, which pool, and giving them back."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from threadpool_iface import CPUPool, get_threadpool

pytest.importorskip("distributed", reason="distributed is not installed")

from distributed import Client, Event, LocalCluster

from threadpool_iface.dask import CorePools

ALL = CPUPool()
two_cores = pytest.mark.skipif(len(ALL) < 2, reason="a machine of 2 cores is needed")


@pytest.fixture
def cluster():
    """A function that makes a cluster and its client; they end with the test."""
    made: list = []

    def make(workers, threads, **more):
        local = LocalCluster(n_workers=workers, threads_per_worker=threads, dashboard_address=None,
                             silence_logs=50, **more)
        client = Client(local)
        made.extend([client, local])
        return client

    yield make
    for each in made:
        each.close()


def where(_=None):
    pool = get_threadpool()
    return (os.getpid(), tuple(sorted(os.sched_getaffinity(0))), type(pool).__name__,
            pool and pool.num_threads)


def on_each(client):
    """What `where` says in a task of each worker."""
    workers = list(client.scheduler_info()["workers"])
    return [client.submit(where, workers=[worker], pure=False).result() for worker in workers]


@two_cores
@pytest.mark.parametrize("processes", [True, False])
def test_two_workers_have_different_cores(cluster, processes):
    client = cluster(2, 1, processes=processes)
    client.register_plugin(CorePools())
    found = on_each(client)
    assert all(len(cores) == threads == 1 and name == "OmpLikePool"
               for _, cores, name, threads in found)
    assert found[0][1] != found[1][1]


def test_tasks_of_a_worker_share_its_cores(cluster):
    client = cluster(1, 1)
    client.register_plugin(CorePools("eigen", cores=len(ALL)))
    assert [each[1:] for each in on_each(client)] == [(ALL.core_ids, "EigenLikePool", len(ALL))]


@two_cores
def test_each_thread_may_have_cores_of_its_own(cluster):
    client = cluster(1, 2)
    client.register_plugin(CorePools(per_thread=True))

    def met(i):
        Event(f"here {i}").set()
        Event(f"here {1 - i}").wait(timeout=60)
        return where()

    found = client.gather(client.map(met, range(2)))
    assert [len(cores) for _, cores, _, _ in found] == [1, 1]
    assert found[0][1] != found[1][1]


def test_actors_are_on_the_workers_cores(cluster):
    client = cluster(1, 1)
    client.register_plugin(CorePools(cores=1))

    class Actor:
        def where(self):
            return where()

    actor = client.submit(Actor, actor=True).result()
    assert len(actor.where().result()[1]) == 1


def test_removing_the_plugin_gives_everything_back(cluster):
    client = cluster(1, 1)
    before = on_each(client)
    client.register_plugin(CorePools(cores=1))
    assert on_each(client) != before or len(ALL) == 1
    client.unregister_worker_plugin(CorePools.name)
    assert on_each(client) == before


def test_a_worker_that_came_later_or_again_has_cores_too(cluster):
    client = cluster(1, 1)
    client.register_plugin(CorePools(cores=len(ALL)))
    (before,) = on_each(client)
    client.restart()
    (after,) = on_each(client)
    assert after[1:] == before[1:]
    assert after[0] != before[0]


def test_a_worker_that_finds_no_cores_says_so(cluster):
    client = cluster(2, 1)
    with pytest.raises(RuntimeError, match="other processes have claimed too many"):
        client.register_plugin(CorePools(cores=len(ALL)))


def test_more_cores_than_there_are_are_refused(cluster):
    client = cluster(1, 1)
    with pytest.raises(ValueError, match=f"cannot claim {len(ALL) + 1} of the {len(ALL)} cores"):
        client.register_plugin(CorePools(cores=len(ALL) + 1))


def test_more_threads_than_cores_are_refused(cluster):
    client = cluster(1, 3)
    with pytest.raises(ValueError, match="each of the worker's 3 threads, and cores is 2"):
        client.register_plugin(CorePools(per_thread=True, cores=2))


@pytest.mark.parametrize(("arguments", "error"), [
    ({"pool": "tbb"}, ValueError), ({"pool": 3}, TypeError), ({"cores": 0}, ValueError),
    ({"cores": 1.5}, TypeError),
])
def test_nonsense_is_refused_at_once(arguments, error):
    with pytest.raises(error):
        CorePools(**arguments)


def test_without_distributed_the_error_says_what_to_install():
    done = subprocess.run(
        [sys.executable, "-c", "import sys; sys.modules['distributed'] = None\n"
                               "import threadpool_iface.dask"],
        capture_output=True, text=True, check=False)
    assert "pip install 'threadpool-iface[dask]'" in done.stderr
