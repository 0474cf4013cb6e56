"""Whatever the pool, BLAS computes what it computes on its own threads."""

from __future__ import annotations

from threading import Event, Thread

import numpy as np
import pytest

from tests.threadpool_iface.pools_under_test import ALL
from threadpool_iface import EigenLikePool, OmpLikePool, OpenMPPool, set_threadpool, threadpool

from .operations import OPERATIONS, close

GANGS = {"omp": OmpLikePool, "eigen": EigenLikePool, "libgomp": OpenMPPool}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("kind", GANGS)
def test_results_equal_openblas_own(layer, square, kind, operation, dtype):
    a, compute = square.astype(dtype), OPERATIONS[operation]
    expected = compute(a)
    with GANGS[kind](2) as pool, threadpool(pool):
        assert close(compute(a), expected)


@pytest.mark.parametrize("name", ALL)
def test_every_kind_of_pool(layer, square, name):
    expected = square @ square
    with ALL[name]() as pool, threadpool(pool):
        assert close(square @ square, expected)


@pytest.mark.parametrize("kind", GANGS)
def test_products_have_the_bits_of_openblas_own_threads(layer, square, kind):
    """It splits them by how many threads it may use, not by whose they are."""
    expected = square @ square
    with GANGS[kind](8) as pool, threadpool(pool):
        assert (square @ square == expected).all()


@pytest.mark.parametrize("kind", GANGS)
def test_four_jobs_have_the_bits_of_openblas_own_four_threads(layer_of_four, square, kind):
    expected, before = square @ square, layer_of_four.counts()
    with GANGS[kind](4) as pool, threadpool(pool):
        assert (square @ square == expected).all()
    assert layer_of_four.counts().on_pools == before.on_pools + 1


@pytest.mark.parametrize("kind", GANGS)
def test_jobs_run_on_the_active_pool(layer, square, kind):
    before = layer.counts()
    with GANGS[kind](2) as pool, threadpool(pool):
        square @ square
        assert pool.stats().regions >= 1
    assert layer.counts().on_pools > before.on_pools
    assert layer.counts().on_own_threads == before.on_own_threads


def test_a_thread_without_a_pool_uses_openblas_own_threads(layer, square):
    before = layer.counts()
    square @ square
    assert layer.counts().on_pools == before.on_pools
    assert layer.counts().on_own_threads > before.on_own_threads


def test_a_closed_pool_loses_no_result(layer, square):
    expected = square @ square
    pool = OmpLikePool(2)
    set_threadpool(pool)
    pool.close()
    assert (square @ square == expected).all()


def test_a_pool_that_is_held_by_a_region_loses_no_result(layer, square):
    """The gang cannot start, so the jobs go to OpenBLAS's own threads."""
    expected = square @ square
    started, over = Event(), Event()

    def hold(ithr, nthr):
        started.set()
        over.wait()

    for kind in (OmpLikePool, EigenLikePool):
        started.clear(), over.clear()
        with kind(2) as pool, threadpool(pool):
            holder = Thread(target=pool.parallel_for, args=(2, hold))
            holder.start()
            started.wait()
            assert (square @ square == expected).all()
            over.set()
            holder.join()
            assert (square @ square == expected).all()
