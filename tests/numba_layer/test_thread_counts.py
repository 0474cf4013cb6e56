"""get_num_threads, set_num_threads, get_thread_id and chunk sizes on our pools."""

from __future__ import annotations

import threading

import numba
import numpy as np
import pytest
from numba import njit

from threadpool_iface import (
    EigenLikePool,
    OmpLikePool,
    parallel,
    set_default_threadpool,
    set_threadpool,
    threadpool,
)

from . import loops, processes


@njit(cache=True)
def _from_nopython_code():
    return numba.get_num_threads()


@njit(cache=True)
def _mask_from_nopython_code(n):
    numba.set_num_threads(n)


def _counts(way):
    processes.install(way)
    everything = processes.NUM_THREADS

    def said():
        assert _from_nopython_code() == numba.get_num_threads()
        return numba.get_num_threads()

    assert said() == everything
    with OmpLikePool(2) as two, OmpLikePool(8) as eight:
        with threadpool(two):
            assert said() == 2
        with threadpool(eight):
            assert said() == everything  # user code has arrays of NUMBA_NUM_THREADS
        with threadpool(None):
            assert said() == 1
        with threadpool(two):
            inside = []
            parallel(2, lambda ithr, nthr: inside.append((said(), numba.get_thread_id())))
            assert inside == [(1, 0)] * 2
        set_default_threadpool(two)
        assert said() == everything
    assert numba.get_thread_id() == 0


@pytest.mark.parametrize("way", processes.WAYS)
def test_num_threads_is_the_pools_but_at_most_numbas(way):
    processes.run(_counts, way)


def _masks(way):
    processes.install(way)
    with EigenLikePool(4) as pool, threadpool(pool):
        for n in (1, 2, 3, 4):
            numba.set_num_threads(n)
            assert set(loops.thread_ids(1000)) <= set(range(n))
            assert set(loops.thread_counts(1000)) == {n}
            assert numba.get_num_threads() == n
        _mask_from_nopython_code(2)
        assert numba.get_num_threads() == 2
        elsewhere = []
        other = threading.Thread(target=lambda: elsewhere.append(numba.get_num_threads()))
        other.start()
        other.join()
        assert elsewhere == [processes.NUM_THREADS]
        for wrong in (0, processes.NUM_THREADS + 1):
            with pytest.raises(ValueError, match="must be between 1 and"):
                numba.set_num_threads(wrong)


@pytest.mark.parametrize("way", processes.WAYS)
def test_a_mask_holds_for_its_thread_and_bounds_the_ids(way):
    processes.run(_masks, way)


def _mask_from_before():
    numba.set_num_threads(3)
    processes.install("overlay")
    assert numba.get_num_threads() == 3
    with OmpLikePool(4) as pool, threadpool(pool):
        assert set(loops.thread_ids(1000)) <= {0, 1, 2}


def test_a_mask_from_before_the_overlay_holds():
    processes.run(_mask_from_before)


def _mask_on_own_layer():
    processes.install("layer")
    with OmpLikePool(2) as pool, threadpool(pool):
        numba.set_num_threads(2)
        loops.thread_ids(100)
    assert set(loops.thread_counts(1000)) == {2}
    assert set(loops.thread_ids(1000)) <= {0, 1}


@pytest.mark.parametrize("layer", ["omp", "workqueue"])
def test_a_mask_set_before_numbas_own_layer_was_launched_holds_on_it(layer):
    processes.run(_mask_on_own_layer, NUMBA_THREADING_LAYER=layer)


def _unique():
    processes.install("layer")
    for make in OmpLikePool, EigenLikePool:
        with make(4) as pool, threadpool(pool):
            assert sum(loops.exclusive(400, 500) for _ in range(50)) == 0


def test_no_two_threads_of_a_region_have_the_same_id():
    processes.run(_unique)


def _chunks(way):
    processes.install(way)
    for pool in (OmpLikePool(2), None):
        with threadpool(pool):
            for size in (1, 3, 1000, 10**6):
                with numba.parallel_chunksize(size):
                    assert numba.get_parallel_chunksize() == size
                    loops.check_all()
            assert numba.get_parallel_chunksize() == 0
    set_threadpool(OmpLikePool(2))
    with numba.parallel_chunksize(100):
        ids = loops.thread_ids(1000)
    assert (np.diff(ids).nonzero()[0] % 100 == 99).all()


@pytest.mark.parametrize("way", processes.WAYS)
def test_chunk_sizes_are_kept(way):
    processes.run(_chunks, way)
