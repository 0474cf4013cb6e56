"""OpenMPPool on whichever runtimes there are. The conformance test runs it on libgomp too."""

from __future__ import annotations

import glob
import os
import subprocess
import sys

import pytest

from threadpool_iface import OpenMPPool
from threadpool_iface.testing import check_pool

pytestmark = pytest.mark.filterwarnings("ignore::threadpool_iface.OversubscriptionWarning")

LLVM = sorted(glob.glob("/usr/lib/llvm-*/lib/libomp.so")) + sorted(
    glob.glob(os.path.join(sys.prefix, "lib", "libiomp5.so")))


def python(code: str, **env: str) -> subprocess.CompletedProcess:
    # joblib, which other tests import, leaves this one behind.
    inherited = {k: v for k, v in os.environ.items() if k != "KMP_INIT_AT_FORK"}
    return subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True,
                          text=True, check=False, timeout=300, env={**inherited, **env})


def test_runtime_says_which_library_it_is():
    with OpenMPPool(2, runtime="libgomp", schedule="dynamic") as pool:
        assert pool.runtime.startswith("libgomp")
        assert repr(pool) == f"<OpenMPPool: 2 threads, {pool.runtime}, dynamic, idle>"


def test_the_size_defaults_to_openmps_own_variable():
    done = python("from threadpool_iface import OpenMPPool; print(OpenMPPool().num_threads)",
                  OMP_NUM_THREADS="3,2")
    assert done.stdout == "3\n", done.stderr


def test_the_library_in_the_process_is_preferred():
    code = """
import ctypes, sys
ctypes.CDLL(sys.argv[1]) if len(sys.argv) > 1 else None
from threadpool_iface import OpenMPPool
print(OpenMPPool(2).runtime)
"""
    assert python(code).stdout == "libgomp.so.1\n"


@pytest.mark.skipif(not LLVM, reason="neither libomp (Debian: libomp-dev) nor libiomp5 is there")
def test_llvms_runtime_keeps_the_contract_and_survives_a_fork():
    done = python(f"""
import os
from threadpool_iface import OpenMPPool, barrier
from threadpool_iface.testing import check_pool
check_pool(lambda: OpenMPPool(3, runtime={LLVM[0]!r}))
pool = OpenMPPool(2, runtime={LLVM[0]!r})
pool.run_together(2, lambda i, n: barrier())
child = os.fork()
if child == 0:
    pool.run_together(2, lambda i, n: barrier())
    os._exit(0)
print(os.waitpid(child, 0)[1], pool.runtime)
""")
    assert done.stdout == f"0 {os.path.basename(LLVM[0])}\n", done.stderr


def test_libgomp_after_a_fork_is_an_error_instead_of_a_hang():
    done = python("""
import os
from threadpool_iface import OmpLikePool, OpenMPPool, ThreadpoolError
pool = OpenMPPool(2, runtime="libgomp")
pool.parallel_for(2, lambda i, n: None)
child = os.fork()
if child == 0:
    try:
        pool.parallel_for(2, lambda i, n: None)
    except ThreadpoolError as error:
        print(error, flush=True)
    OmpLikePool(2).parallel_for(2, lambda i, n: None)
    os._exit(0)
print(os.waitpid(child, 0)[1])
""")
    assert "does not survive" in done.stdout, done.stderr
    assert done.stdout.endswith("\n0\n")


def test_libgomp_first_used_in_the_child_works():
    done = python("""
import os
from threadpool_iface import OpenMPPool
pool = OpenMPPool(2, runtime="libgomp")
child = os.fork()
if child == 0:
    seen = []
    pool.parallel_for(5, lambda i, n: seen.append(i))
    os._exit(sorted(seen) != [0, 1, 2, 3, 4])
print(os.waitpid(child, 0)[1])
""")
    assert done.stdout == "0\n", done.stderr


@pytest.mark.parametrize(("options", "error", "words"), [
    ({"runtime": "libm.so.6"}, ValueError, "GOMP_parallel"),
    ({"runtime": "/nowhere/libgomp.so"}, OSError, "/nowhere/libgomp.so"),
    ({"runtime": 5}, TypeError, "runtime"),
    ({"schedule": "guided"}, ValueError, "schedule"),
    ({"num_threads": 0}, ValueError, "num_threads"),
])
def test_wrong_arguments_are_named(options, error, words):
    with pytest.raises(error, match=words):
        OpenMPPool(**{"num_threads": 2, **options})


def test_two_pools_of_one_runtime():
    check_pool(lambda: OpenMPPool(2))
    with OpenMPPool(2) as one, OpenMPPool(3) as other:
        for pool in (one, other, one):
            seen = []
            pool.parallel_for(10, lambda i, n, seen=seen: seen.append(i))
            assert sorted(seen) == list(range(10))


@pytest.mark.skipif(not LLVM, reason="neither libomp (Debian: libomp-dev) nor libiomp5 is there")
def test_a_child_is_refused_where_the_runtime_was_told_not_to_start_anew():
    done = python(f"""
import os
from threadpool_iface import OpenMPPool, ThreadpoolError
pool = OpenMPPool(2, runtime={LLVM[0]!r})
pool.parallel_for(2, lambda i, n: None)
child = os.fork()
if child == 0:
    try:
        pool.parallel_for(2, lambda i, n: None)
    except ThreadpoolError:
        os._exit(3)
    os._exit(0)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
""", KMP_INIT_AT_FORK="FALSE")
    assert done.stdout == "3\n", done.stderr
