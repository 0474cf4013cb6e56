"""An exception of a loop's body arrives as it is, whichever thread ran the body."""

from __future__ import annotations

import sys
import threading
import time

import numpy as np
import pytest
from numba import njit, prange, vectorize

import threadpool_iface.numba_layer as layer
from tests.threadpool_iface.pools_under_test import ALL
from threadpool_iface import EigenLikePool, OmpLikePool, parallel, threadpool

from . import processes

N = 100


@njit(cache=True)
def _checked(i, bad):
    if i == bad:
        raise LookupError("not this one")
    return 1.0


@njit(parallel=True, cache=True)
def _fill(values, bad):
    for i in prange(values.size):
        values[i] = _checked(i, bad)


@njit(parallel=True, cache=True)
def _fill_rows(values, bad):
    for i in prange(values.shape[0]):
        _fill(values[i], bad)


def _raises(call, *arguments):
    with pytest.raises(LookupError, match=r"^not this one"):
        call(*arguments)


def _on_every_pool(way):
    processes.install(way)
    for make in ALL.values():
        with make() as pool, threadpool(pool):
            for bad in (0, N // 2, N - 1):
                for _ in range(20):
                    _raises(_fill, np.zeros(N), bad)
                _raises(_fill_rows, np.zeros((8, N)), bad)
            values = np.zeros(N)
            _fill(values, -1)
            assert values.sum() == N


@pytest.mark.parametrize("way", processes.WAYS)
def test_it_arrives_from_every_pool(way):
    processes.run(_on_every_pool, way, OMP_NUM_THREADS="3")


def _sequential():
    layer.install()
    with threadpool(None):
        _raises(_fill, np.zeros(N), 3)
    with OmpLikePool(2) as pool, threadpool(pool):
        _raises(parallel, 2, lambda ithr, nthr: _fill(np.zeros(N), 3))


def test_it_arrives_from_a_sequential_loop_and_inside_a_region():
    processes.run(_sequential)


def _ufunc():
    layer.install()

    @vectorize(["float64(float64)"], target="parallel")
    def picky(x):
        if x == 3:
            raise LookupError("not this one")
        return x

    with OmpLikePool(2) as pool, threadpool(pool):
        _raises(picky, np.arange(1000.0))
        assert picky(np.ones(1000)).sum() == 1000


def test_it_arrives_from_a_ufunc():
    processes.run(_ufunc)


def _callers():
    layer.install()
    outcomes = []

    def call(bad):
        with EigenLikePool(2) as pool, threadpool(pool):
            for _ in range(200):
                try:
                    _fill(np.zeros(N), bad)
                    outcomes.append(False)
                except LookupError:
                    outcomes.append(True)

    threads = [threading.Thread(target=call, args=(bad,)) for bad in (0, -1, N - 1, -1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == [False] * 400 + [True] * 400


def test_it_arrives_in_the_thread_that_called_the_loop():
    processes.run(_callers)


def _freed():
    layer.install()
    with OmpLikePool(2) as pool, threadpool(pool):
        kept = []
        for _ in range(50):
            with pytest.raises(LookupError) as caught:
                _fill(np.zeros(N), N - 1)
            kept.append(sys.getrefcount(caught.value))
            del caught
            time.sleep(0)
    assert len(set(kept)) == 1


def test_it_is_not_kept_after_it_was_raised():
    processes.run(_freed)


def _taken_out():
    layer.install(self_test=False)
    processes.launch_own()
    layer.uninstall()
    with pytest.raises(LookupError):
        _checked(3, 3)


def test_without_the_layer_numba_raises_as_ever():
    processes.run(_taken_out)
