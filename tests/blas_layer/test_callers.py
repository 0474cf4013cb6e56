"""Several Python threads in BLAS at once always finish, with the right results."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from threadpool_iface import UNSET, EigenLikePool, OmpLikePool, parallel, threadpool

from .operations import OPERATIONS, close

KINDS = {"omp": OmpLikePool, "eigen": EigenLikePool}


FACTORISATIONS = ("numpy matmul", "numpy solve", "scipy lu")


def all_operations(pool, square, expected, together, names=tuple(OPERATIONS)):
    together.wait()
    with threadpool(pool):
        for name in names:
            assert close(OPERATIONS[name](square), expected[name]), name


@pytest.fixture(scope="module")
def expected(square):
    return {name: compute(square) for name, compute in OPERATIONS.items()}


@pytest.mark.parametrize("callers", [1, 2, 4, 8])
@pytest.mark.parametrize("kind", KINDS)
def test_callers_on_one_pool(layer, square, expected, kind, callers):
    together = threading.Barrier(callers)
    with KINDS[kind](2) as pool, ThreadPoolExecutor(callers) as threads:
        calls = [threads.submit(all_operations, pool, square, expected, together)
                 for _ in range(callers)]
        for call in calls:
            call.result()


def test_callers_without_a_pool(layer, square, expected):
    """More of them than there are buffers for callers on OpenBLAS's own threads."""
    product = OPERATIONS["numpy matmul"]
    with ThreadPoolExecutor(12) as threads:
        results = list(threads.map(lambda _: product(square), range(36)))
    assert all(close(result, expected["numpy matmul"]) for result in results)


def test_gangs_beside_openblas_own_threads(layer_of_four, square, expected):
    """A factorisation puts jobs on OpenBLAS's own threads by itself: they keep their buffers."""
    together = threading.Barrier(2)
    with OmpLikePool(4) as pool, ThreadPoolExecutor(2) as threads:
        calls = [threads.submit(all_operations, which, square, expected, together, FACTORISATIONS)
                 for which in (pool, UNSET)]
        for call in calls:
            call.result()


def test_callers_on_pools_of_their_own(layer, square, expected):
    pools = [OmpLikePool(2), EigenLikePool(2), OmpLikePool(3), None]
    together = threading.Barrier(len(pools))
    with ThreadPoolExecutor(len(pools)) as threads:
        calls = [threads.submit(all_operations, pool, square, expected, together)
                 for pool in pools]
        for call in calls:
            call.result()
    for pool in pools[:-1]:
        pool.close()


@pytest.mark.parametrize("kind", KINDS)
def test_callers_beside_regions_of_the_same_pool_that_use_blas(layer, square, kind):
    """A caller holds OpenBLAS's lock while it waits for threads whose tasks wait for that lock."""
    expected = square @ square
    together = threading.Barrier(2)

    def region(pool):
        together.wait()
        with threadpool(pool):
            for _ in range(5):
                parallel(4, lambda ithr, nthr: square @ square)

    with KINDS[kind](2) as pool, threadpool(pool):
        other = threading.Thread(target=region, args=(pool,))
        other.start()
        together.wait()
        for _ in range(5):
            assert (square @ square == expected).all()
        other.join()
