"""Calls of an executor on chosen cores."""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from threadpool_iface import CPUPool, get_threadpool
from threadpool_iface.runtime.executor import PinnedThreadPoolExecutor

ALL = CPUPool()


@pytest.fixture
def threads():
    with ThreadPoolExecutor(len(ALL) + 1) as executor:
        yield executor


def where():
    return CPUPool(os.sched_getaffinity(0)), get_threadpool().num_threads


def test_calls_run_on_the_cores_and_leave_nothing(threads):
    first = CPUPool(ALL.core_ids[:1])
    assert PinnedThreadPoolExecutor(threads, first, []).submit(where).result() == (first, 1)
    assert threads.submit(lambda: (CPUPool(), get_threadpool())).result() == (ALL, None)


def test_calls_have_a_part_alone_and_one_too_many_has_all(threads):
    meet = threading.Barrier(len(ALL) + 1, timeout=60)

    def met():
        meet.wait()
        found = where()
        meet.wait()
        return found

    executor = PinnedThreadPoolExecutor(threads, ALL, ALL.split(len(ALL)))
    for _ in range(2):
        futures = [executor.submit(met) for _ in range(len(ALL) + 1)]
        found = [future.result() for future in futures]
        assert sorted(cores.core_ids for cores, _ in found) == sorted(
            [*((core,) for core in ALL), ALL.core_ids])


def test_an_error_arrives_and_the_part_is_free_again(threads):
    executor = PinnedThreadPoolExecutor(threads, ALL, ALL.split(1), "eigen")
    for _ in range(3):
        with pytest.raises(ZeroDivisionError):
            executor.submit(lambda: 1 // 0).result()
    assert executor.submit(where).result() == (ALL, len(ALL))
