"""How many threads OpenBLAS may use: as many as the smallest pool that a thread has."""

from __future__ import annotations

import ctypes
import threading

import numpy as np
import pytest
import threadpoolctl

from threadpool_iface import (
    EigenLikePool,
    ExecutorPool,
    OmpLikePool,
    SequentialPool,
    blas_layer,
    parallel,
    set_default_threadpool,
    set_threadpool,
    threadpool,
)

from .conftest import OWN


def numbers():
    return {library.num_threads for library in blas_layer.libraries()}


@pytest.mark.parametrize("size", [1, 2, 3, 4, 9])
def test_a_pool_limits_to_its_size(layer_of_four, size):
    with OmpLikePool(size) as pool:
        with threadpool(pool):
            assert numbers() == {min(size, OWN)}
        assert numbers() == {OWN}


def test_a_sequential_thread_limits_to_one(layer_of_four):
    with threadpool(None):
        assert numbers() == {1}
        with EigenLikePool(2) as pool, threadpool(pool):
            assert numbers() == {2}
        assert numbers() == {1}
    assert numbers() == {OWN}


def test_pools_without_gangs_limit_to_one(layer_of_four):
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(3) as executor, ExecutorPool(executor, 3) as pool, threadpool(pool):
        assert numbers() == {1}
    with SequentialPool() as pool, threadpool(pool):
        assert numbers() == {1}


def test_the_default_pool_limits(layer_of_four):
    with OmpLikePool(3) as pool:
        set_default_threadpool(pool)
        assert numbers() == {3}
        set_default_threadpool(None)
    assert numbers() == {OWN}


def test_a_default_pool_that_was_there_before_limits():
    with OmpLikePool(1) as pool:
        set_default_threadpool(pool)
        blas_layer.install()
        assert numbers() == {1}
        set_default_threadpool(None)
        blas_layer.uninstall()


def test_the_smallest_pool_of_any_thread_counts_until_that_thread_ends(layer_of_four):
    chosen, end = threading.Event(), threading.Event()

    def sequential():
        set_threadpool(None)
        chosen.set()
        end.wait()

    thread = threading.Thread(target=sequential)
    thread.start()
    chosen.wait()
    assert numbers() == {1}
    end.set()
    thread.join()
    # Python's join returns before the thread's own storage is given back.
    while numbers() != {OWN}:
        pass


def test_more_jobs_than_the_pool_has_threads_lose_no_result(layer_of_four, square):
    """Somebody raises OpenBLAS's number behind the layer's back."""
    with threadpool(None):
        expected = square @ square
    with OmpLikePool(2) as pool, threadpool(pool):
        for library in blas_layer.libraries():
            library._set(OWN)
        assert np.allclose(square @ square, expected)


def test_what_somebody_else_sets_holds(layer_of_four):
    with OmpLikePool(3) as pool, threadpool(pool):
        with threadpoolctl.threadpool_limits(2, user_api="blas"):
            with threadpool(None):
                assert numbers() == {1}
            assert numbers() == {2}
        assert numbers() == {3}
    assert numbers() == {OWN}


def test_uninstalling_restores_the_number(layer_of_four):
    set_threadpool(None)
    assert numbers() == {1}
    layer_of_four.uninstall()
    assert numbers() == {OWN}


@pytest.mark.parametrize("with_layer", [True, False])
def test_limited_holds_for_the_block(layer_of_four, with_layer, square):
    if not with_layer:
        layer_of_four.uninstall()
    expected = square @ square
    with OmpLikePool(3) as pool, blas_layer.limited(2):
        with threadpool(pool), blas_layer.limited():
            assert numbers() == {1}
            before = blas_layer.counts()
            results = {}
            parallel(3, lambda ithr, nthr: results.update({ithr: square @ square}))
            assert blas_layer.counts() == before
        assert numbers() == {2}
    assert numbers() == {OWN}
    assert all(np.allclose(result, expected) for result in results.values())


@pytest.mark.parametrize(("value", "error"), [(0, ValueError), (True, TypeError), ("2", TypeError)])
def test_limited_refuses_what_is_no_number_of_threads(value, error):
    with pytest.raises(error, match="num_threads"), blas_layer.limited(value):
        pass


def test_addresses_are_those_of_the_library():
    for library in blas_layer.libraries():
        if library.redirectable:
            get = ctypes.CFUNCTYPE(ctypes.c_int)(library._addresses["get_num_threads"])
            assert get() == library.num_threads
