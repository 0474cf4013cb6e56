"""The layer from Python, each program in a process of its own."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
import textwrap
from ctypes.util import find_library
from pathlib import Path

import pytest

from threadpool_iface import UnsupportedError, openmp_layer
from threadpool_iface.openmp_layer import layer

from .building import HERE

ROOT = HERE.parents[1]
#: A library that starts a region of as many threads as it is told, and says how many it had.
SOURCE = """
#include <omp.h>
int members(int asked) {
    int n = 0;
    if (asked) {
        #pragma omp parallel num_threads(asked)
        {
            #pragma omp atomic
            n++;
            #pragma omp barrier
        }
    } else {
        #pragma omp parallel
        {
            #pragma omp atomic
            n++;
            #pragma omp barrier
        }
    }
    return n;
}
int most(void) { return omp_get_max_threads(); }
int inside(void) { return omp_in_parallel(); }
void set(int n) { omp_set_num_threads(n); }
"""
PREAMBLE = """
import ctypes, os, sys, threading
from threadpool_iface import (EigenLikePool, OmpLikePool, SequentialPool, openmp_layer, parallel,
                              set_default_threadpool, set_threadpool, threadpool, who)

def load():
    return ctypes.CDLL(sys.argv[1])

def calls():
    found = {each.library: each for each in openmp_layer.counts().libraries}
    return found[os.path.basename(sys.argv[1])]
"""


@pytest.fixture(scope="module")
def library(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("caller")
    (folder / "caller.c").write_text(SOURCE)
    subprocess.run(["gcc", "-shared", "-fPIC", "-O1", "-fopenmp", "caller.c", "-o", "libcaller.so"],
                   check=True, cwd=folder)
    return folder / "libcaller.so"


def python(library: Path, program: str, **variables: str) -> subprocess.CompletedProcess[str]:
    env = {name: text for name, text in os.environ.items() if not name.startswith("OMP_")}
    return subprocess.run(
        [sys.executable, "-W", "ignore", "-c", PREAMBLE + textwrap.dedent(program), str(library)],
        cwd=ROOT, env=env | variables, capture_output=True, text=True, check=False, timeout=120)


def check(library: Path, program: str, **variables: str) -> str:
    done = python(library, program, **variables)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stderr


@pytest.mark.parametrize("pool", ["OmpLikePool", "EigenLikePool"])
def test_regions_run_on_the_active_pool(library, pool):
    check(library, f"""
        openmp_layer.install()
        code = load()
        own = code.members(0)                      # no pool: libgomp's own threads
        assert calls().forwarded == 1 and calls().on_pools == 0
        with {pool}(3) as pool, threadpool(pool):
            assert code.most() == 3 and code.members(0) == 3 and code.members(2) == 2
            assert calls().on_pools == 2 and pool.stats().regions == 2
            assert code.members(1) == 1 and calls().alone == 1
        with threadpool(None):
            assert code.most() == 1 and code.members(0) == 1 and code.members(2) == 2
        assert code.members(0) == own and calls().forwarded == 2
        set_default_threadpool({pool}(2))
        assert code.members(0) == 2
        """)


def test_a_team_larger_than_the_pool_is_exact_and_said_once(library):
    said = check(library, """
        openmp_layer.install()
        code = load()
        with OmpLikePool(2) as pool, threadpool(pool):
            assert [code.members(n) for n in (5, 9, 5)] == [5, 9, 5]
            code.set(4)
            assert code.most() == 4 and code.members(0) == 4
            assert calls().borrowed == 4 and openmp_layer.counts().extra_threads == 7
        """)
    assert said.count("threadpool_iface: OpenMP code asked for a team of 5 on a pool of 2") == 1


def test_a_number_is_the_calling_threads(library):
    check(library, """
        openmp_layer.install()
        code = load()
        set_default_threadpool(OmpLikePool(4))
        code.set(2)
        assert code.most() == 2
        seen = []
        thread = threading.Thread(target=lambda: seen.append((code.most(), code.members(0))))
        thread.start(); thread.join()
        assert seen == [(4, 4)] and code.members(0) == 2
        """)


@pytest.mark.parametrize("pool", ["OmpLikePool", "EigenLikePool"])
def test_inside_our_regions_a_team_has_one_member(library, pool):
    check(library, f"""
        openmp_layer.install()
        code = load()
        seen = []
        with {pool}(2) as pool, threadpool(pool):
            parallel(2, lambda i, n: seen.append(
                (code.inside(), code.most(), code.members(0), code.members(4))))
        assert seen == [(1, 1, 1, 1)] * 2
        assert code.inside() == 0
        """)


@pytest.mark.parametrize("pool", ["OmpLikePool", "EigenLikePool"])
def test_a_team_is_exact_while_others_hold_the_pool(library, pool):
    check(library, f"""
        openmp_layer.install()
        code = load()
        with {pool}(2) as pool:
            begun, go_on = threading.Event(), threading.Event()

            def hold(i, n):
                begun.set()
                go_on.wait()

            def holder():
                with threadpool(pool):
                    parallel(2, hold)

            thread = threading.Thread(target=holder)
            thread.start()
            begun.wait()
            with threadpool(pool):
                assert code.members(2) == 2 and calls().borrowed == 1
            go_on.set()
            thread.join()
            with threadpool(pool):
                assert code.members(2) == 2 and calls().on_pools == 1
        """)


@pytest.mark.parametrize("pool", ["OmpLikePool", "EigenLikePool"])
def test_64_callers(library, pool):
    check(library, f"""
        openmp_layer.install()
        code = load()
        wrong = []
        with {pool}(2) as pool:
            def call(k):
                with threadpool(pool):
                    for i in range(20):
                        n = 1 + (i + k) % 3
                        if code.members(n) != n:
                            wrong.append(n)
            threads = [threading.Thread(target=call, args=(k,)) for k in range(64)]
            for thread in threads: thread.start()
            for thread in threads: thread.join()
        assert not wrong
        """)


@pytest.mark.parametrize("pool", ["OmpLikePool", "EigenLikePool"])
def test_a_forked_child_has_its_regions(library, pool):
    check(library, f"""
        openmp_layer.install()
        code = load()
        with {pool}(2) as pool, threadpool(pool):
            assert code.members(0) == 2 and code.members(5) == 5
            child = os.fork()
            if child == 0:
                os._exit(0 if (code.members(0), code.members(5)) == (2, 5) else 1)
            assert os.waitpid(child, 0)[1] == 0
            assert code.members(0) == 2
        """)


def test_a_closed_pool_leaves_the_team_exact(library):
    check(library, """
        openmp_layer.install()
        code = load()
        pool = OmpLikePool(2)
        set_threadpool(pool)
        pool.close()
        assert code.members(2) == 2
        """)


def test_ctrl_c_arrives_after_a_region(library):
    check(library, """
        import signal
        openmp_layer.install()
        code = load()
        signal.setitimer(signal.ITIMER_REAL, 0.05, 0.01)
        def interrupt(*_): raise KeyboardInterrupt
        signal.signal(signal.SIGALRM, interrupt)
        with OmpLikePool(2) as pool, threadpool(pool):
            try:
                while True: code.members(2)
            except KeyboardInterrupt:
                signal.setitimer(signal.ITIMER_REAL, 0)
            assert code.members(2) == 2
        """)


def test_uninstall_sends_calls_to_libgomp_and_install_brings_them_back(library):
    check(library, """
        openmp_layer.install()
        openmp_layer.install()
        assert openmp_layer.installed()
        assert "libgomp's regions run on the active pool" in who().layers
        code = load()
        with OmpLikePool(2) as pool, threadpool(pool):
            code.members(2)
            openmp_layer.uninstall()
            openmp_layer.uninstall()
            assert not openmp_layer.installed()
            code.members(2)
            assert (calls().on_pools, calls().forwarded) == (1, 1)
            openmp_layer.install()
            code.members(2)
            assert (calls().on_pools, calls().forwarded) == (2, 1)
        """)


@pytest.mark.parametrize("pool", ["OmpLikePool", "EigenLikePool"])
def test_it_may_be_installed_and_uninstalled_while_regions_run(library, pool):
    check(library, f"""
        import time
        openmp_layer.install()
        code = load()
        wrong, end = [], time.monotonic() + 1
        with {pool}(2) as pool:
            def call():
                with threadpool(pool):
                    while time.monotonic() < end:
                        if code.members(2) != 2:
                            wrong.append(1)
            threads = [threading.Thread(target=call) for _ in range(3)]
            for thread in threads: thread.start()
            while time.monotonic() < end:
                openmp_layer.uninstall()
                openmp_layer.install()
            for thread in threads: thread.join()
        assert not wrong and calls().on_pools and calls().forwarded
        """)


def test_it_is_too_late_once_libgomp_is_loaded(library):
    done = python(library, """
        code = load()
        openmp_layer.install()
        """)
    assert done.returncode == 1
    assert "UnsupportedError: libgomp is loaded already: " in done.stderr
    assert "has to come first" in done.stderr


def test_it_names_the_package_that_came_first(library):
    pytest.importorskip("sklearn")
    done = python(library, """
        import sklearn.cluster
        openmp_layer.install()
        """)
    assert done.returncode == 1
    assert "(of sklearn)" in done.stderr


@pytest.mark.parametrize("name", ["OMP_PROC_BIND", "OMP_PLACES", "GOMP_CPU_AFFINITY"])
def test_places_are_refused(library, name):
    done = python(library, "openmp_layer.install()", **{name: "close"})
    assert done.returncode == 1
    assert f"UnsupportedError: {name} binds OpenMP threads to places" in done.stderr


def test_the_environment_installs_it(library):
    check(library, """
        assert openmp_layer.installed()
        code = load()
        assert code.members(0) == 2 and calls().on_pools == 1
        """, THREADPOOL_IFACE_OPENMP="1", THREADPOOL_IFACE_POOL="omp",
          NUMBA_NUM_THREADS="2")


def test_a_wrong_value_is_refused(library):
    done = python(library, "", THREADPOOL_IFACE_OPENMP="yes")
    assert done.returncode == 1
    assert "THREADPOOL_IFACE_OPENMP must be 0 or 1, not 'yes'" in done.stderr


def test_a_program_of_its_own_command(library, tmp_path):
    script = tmp_path / "script.py"
    script.write_text(f"""
import ctypes, sys
from threadpool_iface import UnsupportedError, openmp_layer
from threadpool_iface.openmp_layer import layer
assert sys.argv[1:] == ["one", "two"] and openmp_layer.installed()
assert ctypes.CDLL({str(library)!r}).members(0) == 2
assert openmp_layer.counts().libraries[0].on_pools == 1
""")
    env = {**os.environ, "THREADPOOL_IFACE_POOL": "eigen", "OMP_NUM_THREADS": "2"}
    command = [sys.executable, "-W", "ignore", "-m", "threadpool_iface.openmp_layer"]
    done = subprocess.run([*command, str(script), "one", "two"], cwd=ROOT, env=env, check=False,
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    done = subprocess.run(command, cwd=ROOT, env=env, check=False, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.startswith("usage: ")


def test_threadpoolctl_knows_and_limits_it(library):
    pytest.importorskip("threadpoolctl")
    check(library, """
        import threadpoolctl
        openmp_layer.install()
        code = load()
        with OmpLikePool(2) as pool, threadpool(pool):
            def found():
                return [each for each in threadpoolctl.threadpool_info()
                        if "_gomp" in each["filepath"]]
            assert [each["num_threads"] for each in found()] == [2]
            with threadpoolctl.threadpool_limits(1, user_api="openmp"):
                assert code.members(0) == 1
            assert code.members(0) == 2
        """)


def test_pin_gives_a_thread_per_core(library):
    check(library, """
        from threadpool_iface import CPUPool, pin
        openmp_layer.install()
        code = load()
        cpu = min(os.sched_getaffinity(0))
        with OmpLikePool(2) as pool, threadpool(pool):
            with pin(CPUPool([cpu])):
                assert code.most() == 1 and code.members(0) == 1
            assert code.most() == 2
        """)


def test_limited_bounds_regions_of_the_calling_thread_and_restores(library):
    check(library, """
        openmp_layer.install()
        code = load()
        own = code.most()
        with openmp_layer.limited():                # no pool: on libgomp
            assert code.most() == 1 and code.members(0) == 1
        assert code.most() == own
        with OmpLikePool(3) as pool, threadpool(pool):
            with openmp_layer.limited(2):
                assert code.members(0) == 2
                with openmp_layer.limited(5):
                    assert code.members(0) == 2
            assert code.members(0) == 3
        """)
    with pytest.raises(ValueError, match="num_threads must be"):
        openmp_layer.limited(0)


def test_other_runtimes_are_named(library):
    """LLVM's, for one."""
    if not (find_library("omp") or find_library("omp5")):
        pytest.skip("libomp is not installed")
    check(library, """
        from ctypes.util import find_library
        openmp_layer.install()
        assert openmp_layer.not_redirected() == []
        ctypes.CDLL(find_library("omp") or find_library("omp5"))
        (path,) = openmp_layer.not_redirected()
        assert f"{path}: its regions keep their own threads" in who().layers
        """)


def test_importing_the_package_loads_nothing():
    program = ("import threadpool_iface, sys; "
               "assert '_gomp' not in open('/proc/self/maps').read(); "
               "assert 'threadpool_iface.openmp_layer' not in sys.modules")
    subprocess.run([sys.executable, "-c", program], check=True, cwd=ROOT)


def test_the_library_is_loaded_without_libgomp():
    """Its users bring one; by itself it needs none."""
    assert ctypes.CDLL(openmp_layer.path()).omp_get_num_procs() >= 1


def test_a_library_that_the_loader_refuses_is_said(monkeypatch, tmp_path):
    broken = tmp_path / "_gomp.so"
    broken.write_text("no library")
    monkeypatch.setattr("threadpool_iface.openmp_layer.library.path", lambda: str(broken))
    with pytest.raises(UnsupportedError, match="cannot be loaded"):
        layer._attach()
    assert not openmp_layer.installed()
