"""Installing, refusing, taking out again, and the three ways to ask for it."""

from __future__ import annotations

import ctypes
import subprocess
import sys

import numba
import pytest
from numba.np.ufunc import parallel as numba_parallel

import threadpool_iface.numba_layer as layer
from threadpool_iface import (
    OmpLikePool,
    ThreadpoolError,
    UnsupportedError,
    parallel,
    threadpool,
)
from threadpool_iface.numba_layer import names, self_test

from . import loops, processes

WRAPPERS = ("_set_num_threads", "_get_num_threads", "_get_thread_id", "_get_sched_size")


def _runs_on(pool):
    with threadpool(pool):
        before = pool.stats().regions
        assert loops.total(loops.VALUES) != 0
        return pool.stats().regions > before


def _in_and_out(way):
    if way == "overlay":
        processes.launch_own()
    with OmpLikePool(2) as pool:
        for _ in range(2):
            assert not layer.installed()
            layer.install()
            layer.install(schedule="static")
            assert layer.installed()
            assert _runs_on(pool)
            layer.uninstall()
            assert not layer.installed()
            assert not _runs_on(pool)  # it was linked while the layer was installed
            _check_numba_is_as_it_was()
        layer.uninstall()


def _check_numba_is_as_it_was():
    from numba.np.ufunc import omppool

    assert omppool.__file__
    assert sys.modules["numba.np.ufunc.omppool"] is omppool
    for name in WRAPPERS:
        ours = ctypes.cast(getattr(numba_parallel, name), ctypes.c_void_p).value
        assert ours == getattr(omppool, name[1:])


@pytest.mark.parametrize("way", processes.WAYS)
def test_uninstalling_gives_numba_its_layer_back(way):
    processes.run(_in_and_out, way, NUMBA_THREADING_LAYER="omp")


def _linked_before():
    assert loops.total(loops.VALUES) != 0
    layer.install()
    with OmpLikePool(2) as pool, threadpool(pool):
        loops.total(loops.VALUES)
        assert pool.stats().regions == 0
        loops.nested(loops.VALUES.reshape(1, -1))
        assert pool.stats().regions > 0


def test_what_was_linked_before_stays_on_numbas_own_layer():
    processes.run(_linked_before)


def _never_used():
    layer.install(self_test=False)
    layer.uninstall()
    processes.launch_own()
    loops.check_all()


def test_a_layer_that_was_taken_out_before_numba_launched_one_leaves_nothing():
    processes.run(_never_used)


@pytest.mark.parametrize("version", ["0.59.1", "0.69.0", "1.0", "unknown"])
def test_an_unknown_version_of_numba_is_refused_by_name(version):
    with pytest.raises(UnsupportedError, match=rf"{version}.*0\.60 to 0\.68"):
        names.check_version(version)


def test_this_version_of_numba_is_known():
    names.check_version(numba.__version__)
    assert names.parallel_module() is numba_parallel


def test_a_private_name_that_is_gone_is_refused_by_name(monkeypatch):
    monkeypatch.delattr(numba_parallel, "_launch_threads")
    with pytest.raises(UnsupportedError, match="_launch_threads"):
        layer.install()
    assert not layer.installed()


def test_a_layer_that_lacks_a_function_is_refused_by_name(monkeypatch):
    own = pytest.importorskip("numba.np.ufunc.workqueue")
    monkeypatch.delattr(own, "get_sched_size")
    with pytest.raises(UnsupportedError, match=r"workqueue.*get_sched_size"):
        names.check_layer(own)


def _fails_its_test():
    self_test._ROWS = 7.5
    with pytest.raises(TypeError):
        layer.install()
    assert not layer.installed()
    loops.check_all()


def test_a_failed_self_test_takes_the_layer_out_again():
    processes.run(_fails_its_test)


def _wrong_result():
    self_test._loop = lambda: lambda values, seen: 1.0
    with pytest.raises(ThreadpoolError, match=r"self-test.*was 1\.0, in 0 regions, with 1000 of"):
        layer.install()
    assert not layer.installed()


def test_a_wrong_result_of_the_self_test_is_named():
    processes.run(_wrong_result)


def test_a_schedule_that_is_neither_is_refused():
    with pytest.raises(ValueError, match=r'schedule must be "dynamic" or "static", not \'fair\''):
        layer.install(schedule="fair")
    assert not layer.installed()


def _inside_a_region():
    with OmpLikePool(2) as pool, threadpool(pool), pytest.raises(RuntimeError, match="region"):
        parallel(1, lambda ithr, nthr: layer.install())
    assert not layer.installed()
    layer.install()


def test_installing_inside_a_region_is_refused():
    processes.run(_inside_a_region)


PROGRAM = """
import sys
import numba
import numpy as np
from numba import njit, prange

@njit(parallel=True)
def f(n):
    total = 0
    for i in prange(n):
        total += i
    return total

if __name__ == "__main__":
    from threadpool_iface import get_threadpool
    print(f(101), sys.argv[1:], type(get_threadpool()).__name__, get_threadpool().stats().regions)
"""


def test_a_program_that_knows_nothing_of_it(tmp_path):
    (tmp_path / "program.py").write_text(PROGRAM)
    printed = processes.run_python(str(tmp_path / "program.py"), "a", THREADPOOL_IFACE_POOL="eigen",
                                   THREADPOOL_IFACE_NUMBA="1")
    assert printed == "5050 ['a'] EigenLikePool 1\n"


def test_a_program_run_by_the_command(tmp_path):
    (tmp_path / "program.py").write_text(PROGRAM)
    printed = processes.run_python("-m", "threadpool_iface.numba_layer",
                                   str(tmp_path / "program.py"), "a", "-b",
                                   THREADPOOL_IFACE_POOL="omp")
    assert printed == "5050 ['a', '-b'] OmpLikePool 1\n"


def test_a_module_run_by_the_command():
    printed = processes.run_python("-m", "threadpool_iface.numba_layer", "-m", "timeit", "-n1",
                                   "-r1", "import sys; assert sys.argv[0]")
    assert "1 loop" in printed


def test_the_command_explains_itself():
    done = subprocess.run([sys.executable, "-m", "threadpool_iface.numba_layer"],
                          capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("usage: python -m threadpool_iface.numba_layer")


def test_a_value_of_the_variable_that_is_neither_is_named(monkeypatch):
    monkeypatch.setenv(layer.VARIABLE, "yes")
    with pytest.warns(RuntimeWarning, match=f"{layer.VARIABLE} must be 0 or 1, not 'yes'"):
        layer.installing.install_if_asked()
    assert not layer.installed()


def test_importing_it_does_not_import_numba():
    processes.run_python("-c", "import sys, threadpool_iface.numba_layer as layer; "
                               "assert not layer.installed() and 'numba' not in sys.modules")
