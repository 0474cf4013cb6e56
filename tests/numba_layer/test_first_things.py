"""THREADPOOL_IFACE_NUMBA=1: loops run on the pool whatever numba compiles first."""

from __future__ import annotations

import re
import warnings

import pytest

from threadpool_iface import OmpLikePool, numba_layer, threadpool
from threadpool_iface.numba_layer import installing

from . import first_things, loops, processes


def _loops_run_on_the_pool(name):
    warnings.simplefilter("error")
    getattr(first_things, name)()
    assert numba_layer.installed()
    with OmpLikePool(2) as pool, threadpool(pool):
        loops.total(loops.VALUES)
        assert pool.stats().regions == 1
        first_things.parallel_vectorize()
        assert pool.stats().regions == 2


@pytest.mark.parametrize("name", first_things.NAMES)
def test_loops_run_on_the_pool_with_empty_caches_and_with_full_ones(name, tmp_path):
    for _ in "empty", "full":
        processes.run(_loops_run_on_the_pool, name, THREADPOOL_IFACE_NUMBA="1",
                      NUMBA_CACHE_DIR=str(tmp_path / "numba"),
                      THREADPOOL_IFACE_CACHE_DIR=str(tmp_path / "ours"))


def _first_in_a_task():
    from threadpool_iface import parallel

    with OmpLikePool(2) as pool, threadpool(pool):
        parallel(1, lambda ithr, nthr: first_things.parallel_function())
        assert numba_layer.installed()
        first_things.parallel_function()
        assert numba_layer.installed()
        assert pool.stats().regions == 2


def test_loops_run_on_the_pool_if_the_first_is_compiled_in_a_task(tmp_path):
    processes.run(_first_in_a_task, THREADPOOL_IFACE_NUMBA="1", NUMBA_CACHE_DIR=str(tmp_path))


def _runs_on_numbas_own():
    with OmpLikePool(2) as pool, threadpool(pool):
        first_things.parallel_function()
        first_things.parallel_vectorize()
        assert pool.stats().regions == 0
    assert not numba_layer.installed()


def _cannot_be_installed():
    numba_parallel = pytest.importorskip("numba.np.ufunc.parallel")
    stock = numba_parallel.build_gufunc_kernel
    del numba_parallel.NUM_THREADS
    with pytest.warns(RuntimeWarning) as caught:
        first_things.vectorize()
    numba_parallel.NUM_THREADS = 4
    assert numba_parallel.build_gufunc_kernel is stock
    _check_the_warning(caught, r"UnsupportedError: numba .* has no .*\.NUM_THREADS")
    _runs_on_numbas_own()


def _fails_its_test(name):
    def fail(num_threads):
        raise ArithmeticError("the sum is wrong")

    installing.check_layer_works = fail
    with pytest.warns(RuntimeWarning) as caught:
        (getattr(first_things, name)(), first_things.parallel_function())
    _check_the_warning(caught, "ArithmeticError: the sum is wrong")
    _runs_on_numbas_own()


def _check_the_warning(caught, reason):
    message, = (str(warning.message) for warning in caught)
    assert re.search(r"numba layer of threadpool_iface is not installed: " + reason, message)
    assert "loops run on numba's own layer (omp, tbb or workqueue" in message
    assert "Call threadpool_iface.numba_layer.install() at the start" in message
    assert "set THREADPOOL_IFACE_NUMBA=0" in message


def test_a_layer_that_cannot_be_installed_says_where_loops_run_and_what_to_do():
    processes.run(_cannot_be_installed, THREADPOOL_IFACE_NUMBA="1")


@pytest.mark.parametrize("name", ["vectorize", "function", "number_of_threads_then_vectorize",
                                  "parallel_function"])
def test_a_layer_that_fails_its_test_says_where_loops_run_and_what_to_do(name):
    processes.run(_fails_its_test, name, THREADPOOL_IFACE_NUMBA="1")
