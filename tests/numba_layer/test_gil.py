"""Whether a loop in a function with `nogil=True` runs while another thread holds the GIL."""

from __future__ import annotations

import threading

import numba.np.ufunc.parallel
import numpy as np
import pytest
from numba import njit, prange

import threadpool_iface.numba_layer as layer
from threadpool_iface import OmpLikePool, PoolClosedError, UnsupportedError, threadpool
from threadpool_iface.nopython import tpi_in_parallel

from . import processes

READY, GO, DONE = 0, 1, 2


@njit(parallel=True, nogil=True)
def _loop(values):
    for i in prange(values.size):
        values[i] += 1


@njit(nogil=True)
def _loop_when_told(signals, values):
    signals[READY] = 1
    while not signals[GO]:
        tpi_in_parallel()  # an unknown function: the signal is read again
    _loop(values)
    signals[DONE] = 1


@njit
def _hold_the_gil(signals, most):
    signals[GO] = 1
    for _ in range(most):
        if signals[DONE]:
            return True
        tpi_in_parallel()
    return False


def _runs_without_the_gil(most):
    signals, values = np.zeros(3, np.int64), np.zeros(1000)

    def call():
        with OmpLikePool(2) as pool, threadpool(pool):
            _loop_when_told(signals, values)

    _hold_the_gil(np.ones(3, np.int64), 1)  # compile
    thread = threading.Thread(target=call)
    thread.start()
    while not signals[READY]:
        pass
    ran = _hold_the_gil(signals, most)
    thread.join()
    assert (values == 1).all()
    return ran


def _left_alone():
    processes.install("layer", leave_gil=True)
    assert _runs_without_the_gil(10**10)
    closed = OmpLikePool(2)
    with threadpool(closed):
        closed.close()
        for call in _loop, _with_the_gil:
            values = np.zeros(10)
            with pytest.raises(PoolClosedError):
                call(values)
            assert (values == 1).all()


@njit
def _with_the_gil(values):
    _loop(values)


def test_a_loop_that_leaves_the_gil_alone_runs_while_another_thread_holds_it():
    processes.run(_left_alone)


def _as_ever():
    processes.install("layer")
    assert not _runs_without_the_gil(10**7)


def test_a_loop_of_numbas_own_code_waits_for_the_gil():
    processes.run(_as_ever)


def _changed_source():
    numba.np.ufunc.parallel.build_gufunc_kernel = stock = lambda *arguments: None
    with pytest.raises(UnsupportedError, match=f"numba {numba.__version__} has another"):
        layer.install(leave_gil=True)
    assert not layer.installed()
    assert numba.np.ufunc.parallel.build_gufunc_kernel is stock


def test_another_source_of_numbas_code_is_refused():
    processes.run(_changed_source)


def _put_back():
    stock = numba.np.ufunc.parallel.build_gufunc_kernel
    layer.install(leave_gil=True, self_test=False)
    assert numba.np.ufunc.parallel.build_gufunc_kernel is not stock
    layer.install()
    assert numba.np.ufunc.parallel.build_gufunc_kernel is stock
    layer.install(leave_gil=True)
    layer.uninstall()
    assert numba.np.ufunc.parallel.build_gufunc_kernel is stock


def test_numbas_own_code_is_put_back():
    processes.run(_put_back)
