"""threadpoolctl sees this library's pools and limits their regions."""

from __future__ import annotations

import subprocess
import sys
import threading

import numpy as np
import pytest
import threadpoolctl

import threadpool_iface.threadpoolctl_controller  # noqa: F401
from kernels import Matmul
from threadpool_iface import (
    EigenLikePool,
    OmpLikePool,
    PrimitiveAttr,
    get_max_threads,
    parallel,
    threadpool,
)
from threadpool_iface.native import lib

from .pools_under_test import ALL


def ours():
    (info,) = (entry for entry in threadpoolctl.threadpool_info()
               if entry["user_api"] == "threadpool_iface")
    return info


def limits(num_threads):
    return threadpoolctl.threadpool_limits({"threadpool_iface": num_threads})


def threads_of_a_region(pool, tasks):
    """Identities of the threads that run it; the tasks, in the order they started."""
    ran = []
    with threadpool(pool):
        parallel(tasks, lambda ithr, nthr: ran.append((threading.get_ident(), ithr, nthr)))
    return {thread for thread, _, _ in ran}, [(ithr, nthr) for _, ithr, nthr in ran]


def test_info_lists_the_open_pools():
    with OmpLikePool(3) as pool, EigenLikePool(2) as other:
        pools = ours()["pools"]
        assert {"pool": repr(pool), "num_threads": 3} in pools
        assert {"pool": repr(other), "num_threads": 2} in pools
        description = repr(pool)
    assert description not in [entry["pool"] for entry in ours()["pools"]]


@pytest.mark.parametrize("name", ALL)
def test_a_limit_of_one_runs_every_task_on_one_thread(name):
    with ALL[name]() as pool, limits(1):
        threads, tasks = threads_of_a_region(pool, 13)
    assert len(threads) == 1
    assert sorted(tasks) == [(i, 13) for i in range(13)]


@pytest.mark.parametrize("name", ALL)
def test_a_limited_region_keeps_its_tasks_and_uses_no_more_threads(name):
    with ALL[name]() as pool, limits(2):
        threads, tasks = threads_of_a_region(pool, 30)
    assert len(threads) <= 2
    assert sorted(tasks) == [(i, 30) for i in range(30)]


def test_the_first_failure_of_a_limited_region_arrives():
    def task(ithr, nthr):
        if ithr == 5:
            raise ValueError("five")

    with OmpLikePool(4) as pool, threadpool(pool), limits(2):
        with pytest.raises(ValueError, match="five"):
            parallel(8, task)
        parallel(8, lambda ithr, nthr: None)


def test_get_max_threads_honours_the_limit_while_it_is_in_force():
    with OmpLikePool(4) as pool, threadpool(pool):
        with limits(2):
            assert get_max_threads() == 2
            with limits(1):
                assert get_max_threads() == 1
            assert get_max_threads() == 2
        assert get_max_threads() == 4


def test_leaving_restores_no_limit_even_if_a_larger_pool_was_made_meanwhile():
    with OmpLikePool(4):
        with limits(2), OmpLikePool(9):
            pass
        assert lib.tpi_thread_limit() == 0


def test_limits_of_other_libraries_leave_none_of_ours_behind():
    with threadpoolctl.threadpool_limits(1, user_api="blas"), OmpLikePool(7):
        threadpoolctl.threadpool_info()
    assert lib.tpi_thread_limit() == 0


def test_limits_of_blas_alone_leave_regions_alone():
    blas_alone = threadpoolctl.threadpool_limits(1, user_api="blas")
    with OmpLikePool(4) as pool, threadpool(pool), blas_alone:
        assert get_max_threads() == 4


def test_primitives_give_the_same_bits_under_a_limit():
    a = np.random.default_rng(1).standard_normal((96, 80)).astype(np.float32)
    b = np.random.default_rng(2).standard_normal((80, 112)).astype(np.float32)
    with OmpLikePool(4) as pool, threadpool(pool):
        mm = Matmul(a.shape, b.shape, attr=PrimitiveAttr(max_num_threads=4))
        want = mm(a, b)
        with limits(1):
            assert (mm(a, b) == want).all()
            created_within = Matmul(a.shape, b.shape)
            assert created_within.decomposition.tasks == 1
            assert (created_within(a, b) == want).all()


def test_a_split_at_execution_follows_the_limit():
    a, b = np.ones((256, 64), np.float32), np.ones((64, 256), np.float32)
    attr = PrimitiveAttr(max_num_threads=4, decomposition="execution")
    with OmpLikePool(4) as pool, threadpool(pool), limits(1):
        mm = Matmul(a.shape, b.shape, attr=attr)
        mm(a, b)
        assert mm.decomposition.tasks == 1


@pytest.mark.parametrize(("first", "seen"), [("threadpoolctl", True), ("threadpool_iface", False)])
def test_it_registers_by_itself_only_where_threadpoolctl_is_there_already(first, seen):
    code = f"""
import {first}
import sys, threadpool_iface
assert ("threadpoolctl" in sys.modules) == {seen}
import threadpoolctl
print(any(i["user_api"] == "threadpool_iface" for i in threadpoolctl.threadpool_info()))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60,
                          check=True)
    assert done.stdout == f"{seen}\n"
