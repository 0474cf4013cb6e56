"""Creating native pools: sizes, settings, environment, refusals, and what they leave behind."""

from __future__ import annotations

import math
import os
import subprocess
import sys
import threading
import warnings

import pytest

from threadpool_iface import EigenLikePool, OmpLikePool, SequentialPool, default_num_threads
from threadpool_iface.topology import allowed_cpus

KINDS = [OmpLikePool, EigenLikePool]


def python(code: str, **env: str) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, "-c", code], env={**os.environ, **env},
                          capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("size", "error"), [(0, ValueError), (-1, ValueError), (10**9, ValueError),
                                             (4097, ValueError), (True, TypeError),
                                             (2.0, TypeError), ("2", TypeError)])
def test_sizes_outside_the_domain_are_refused(kind, size, error):
    with pytest.raises(error, match="num_threads"):
        kind(size)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("blocktime", "error"), [(-1, ValueError), (math.nan, ValueError),
                                                  (True, TypeError), ("1ms", TypeError)])
def test_blocktimes_outside_the_domain_are_refused(kind, blocktime, error):
    with pytest.raises(error, match="blocktime"):
        kind(2, blocktime=blocktime)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("blocktime", [0, 0.5, 50, 1e9, math.inf])
def test_every_blocktime_runs_and_closes(kind, blocktime):
    with kind(2, blocktime=blocktime) as pool:
        for _ in range(20):
            seen = []
            pool.parallel_for(4, lambda i, n, seen=seen: seen.append(i))
            assert sorted(seen) == [0, 1, 2, 3]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("given", "known"), [(None, 2000.0), (0, 0.0), (math.inf, math.inf)])
def test_blocktime_is_known_in_microseconds(kind, given, known, monkeypatch):
    monkeypatch.delenv("KMP_BLOCKTIME", raising=False)
    assert kind(2, blocktime=given).blocktime == known


@pytest.mark.parametrize(("text", "known"), [("20", 20_000.0), ("infinite", math.inf), ("0", 0.0),
                                             ("", 2000.0)])
def test_kmp_blocktime_is_milliseconds(text, known, monkeypatch):
    monkeypatch.setenv("KMP_BLOCKTIME", text)
    assert OmpLikePool(2).blocktime == known
    assert OmpLikePool(2, blocktime=7).blocktime == 7.0
    assert EigenLikePool(2).blocktime == 2000.0


def test_a_dynamic_schedule_gives_tasks_to_whoever_is_free():
    """The thread that takes task 0 is held until the other one has run all the rest."""
    others = threading.Semaphore(0)

    def task(i, n):
        if i:
            others.release()
        for _ in range(0 if i else n - 1):
            assert others.acquire(timeout=60)

    with OmpLikePool(2, schedule="dynamic") as pool:
        pool.parallel_for(10, task)


def test_schedule_must_be_known():
    with pytest.raises(ValueError, match="schedule"):
        OmpLikePool(2, schedule="guided")


@pytest.mark.parametrize("kind", KINDS)
def test_affinity_is_checked_and_degrades(kind):
    with pytest.raises(ValueError, match="affinity has CPU 100000; this machine has CPUs"):
        kind(2, affinity=[100000])
    with pytest.raises(TypeError, match="affinity"):
        kind(2, affinity=0)
    with kind(2, affinity=allowed_cpus()) as pool:
        pool.parallel_for(2, lambda i, n: None)


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="needs two CPUs")
def test_cpus_that_are_not_allowed_are_dropped_with_a_warning():
    code = """
import os, warnings
first, second = sorted(os.sched_getaffinity(0))[:2]
os.sched_setaffinity(0, [first])
from threadpool_iface import OmpLikePool
with warnings.catch_warnings(record=True) as seen:
    warnings.simplefilter("always")
    OmpLikePool(1, affinity=[first, second])
assert any(str(second) in str(w.message) for w in seen), seen
try:
    OmpLikePool(1, affinity=[second])
except ValueError as error:
    print(error)
"""
    done = python(code)
    assert done.returncode == 0, done.stderr
    assert "may use" in done.stdout


def test_default_size_is_the_machines():
    assert OmpLikePool().num_threads == EigenLikePool().num_threads == default_num_threads()
    assert SequentialPool().num_threads == 1


@pytest.mark.parametrize(("name", "value", "expected"), [
    ("OMP_NUM_THREADS", "3", "3"), ("OMP_NUM_THREADS", " 2,4", "2"),
    ("OMP_NUM_THREADS", "zero", "ValueError"), ("OMP_NUM_THREADS", "0", "ValueError"),
    ("KMP_BLOCKTIME", "infinite", "ok"), ("KMP_BLOCKTIME", "0", "ok"),
    ("KMP_BLOCKTIME", "20us", "ValueError"),
])
def test_openmp_variables(name, value, expected):
    done = python(
        "from threadpool_iface import OmpLikePool\n"
        "try:\n pool = OmpLikePool(); pool.parallel_for(2, lambda i, n: 0); "
        "print(pool.num_threads, 'ok')\n"
        "except ValueError as e:\n print('ValueError', e)", **{name: value})
    assert expected in done.stdout.split(), done.stderr
    if expected == "ValueError":
        assert name in done.stdout


@pytest.mark.parametrize(("value", "kind"), [("omp", "OmpLikePool"), ("eigen", "EigenLikePool"),
                                             ("sequential", "SequentialPool"), ("", "NoneType")])
def test_environment_names_the_default_pool(value, kind):
    done = python("import threading, threadpool_iface as t\n"
                  "print(type(t.get_threadpool()).__name__, len(__import__('os')"
                  ".listdir('/proc/self/task')))", THREADPOOL_IFACE_POOL=value)
    assert done.stdout.split() == [kind, "1"], done.stderr


def test_an_unknown_default_pool_is_an_error_that_names_the_variable():
    done = python("import threadpool_iface", THREADPOOL_IFACE_POOL="tbb")
    assert done.returncode != 0
    assert "THREADPOOL_IFACE_POOL must be omp, eigen or sequential, not 'tbb'" in done.stderr


def test_oversubscription_warns_once_per_process():
    done = python(
        "import warnings\nfrom threadpool_iface import OmpLikePool, EigenLikePool\n"
        "with warnings.catch_warnings(record=True) as seen:\n"
        "    warnings.simplefilter('always')\n"
        "    OmpLikePool(4000); EigenLikePool(3999)\n"
        "print(len(seen), seen[0].category.__name__, seen[0].filename, '4000' in "
        "str(seen[0].message))")
    assert done.stdout.split() == ["1", "OversubscriptionWarning", "<string>", "True"], done.stderr


@pytest.mark.parametrize("kind", ["OmpLikePool", "EigenLikePool"])
def test_a_worker_that_cannot_start_is_an_error_and_the_pool_survives(kind):
    code = f"""
import resource, warnings
warnings.simplefilter("ignore")
from threadpool_iface import {kind}
pool = {kind}(600)
soft, hard = resource.getrlimit(resource.RLIMIT_AS)
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 200 * 2**20, hard))
try:
    pool.parallel_for(600, lambda i, n: None)
except OSError as error:
    print("refused", error)
resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
seen = []
pool.parallel_for(600, lambda i, n: seen.append(i))
print(sorted(seen) == list(range(600)))
"""
    done = python(code)
    assert "refused" in done.stdout, done.stderr
    assert done.stdout.endswith("True\n"), done.stderr


def _threads() -> int:
    return len(os.listdir("/proc/self/task"))


@pytest.mark.parametrize("kind", KINDS)
def test_workers_start_at_the_first_region_and_end_with_the_pool(kind):
    before = _threads()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pool = kind(5)
    assert _threads() == before
    pool.parallel_for(5, lambda i, n: None)
    assert _threads() == before + 4
    pool.close()
    assert _threads() == before


@pytest.mark.parametrize("kind", KINDS)
def test_dropping_the_last_reference_ends_the_threads(kind):
    before = _threads()
    for _ in range(200):
        pool = kind(2)
        pool.parallel_for(2, lambda i, n: None)
    del pool
    assert _threads() == before


@pytest.mark.parametrize("kind", ["OmpLikePool", "EigenLikePool"])
def test_a_forked_child_starts_its_own_workers(kind):
    code = f"""
import os
from threadpool_iface import {kind}
pool = {kind}(2)
pool.parallel_for(4, lambda i, n: None)
for _ in range(20):
    child = os.fork()
    if child == 0:
        seen = []
        pool.parallel_for(4, lambda i, n: seen.append(i))
        os._exit(0 if sorted(seen) == [0, 1, 2, 3] else 1)
    assert os.waitpid(child, 0)[1] == 0
    pool.parallel_for(4, lambda i, n: None)
print("ok")
"""
    assert python(code).stdout == "ok\n"


@pytest.mark.parametrize("kind", ["OmpLikePool", "EigenLikePool"])
def test_the_interpreter_exits_with_a_pool_in_use(kind):
    code = f"""
import threading, time
from threadpool_iface import {kind}, set_threadpool, parallel
pool = {kind}(2)
set_threadpool(pool)
parallel(2, lambda i, n: None)
threading.Thread(target=lambda: [pool.parallel_for(4, lambda i, n: None) for _ in range(10**9)],
                 daemon=True).start()
"""
    done = python(code)
    assert done.returncode == 0, done.stderr


def test_importing_is_light():
    done = python(
        "import os, sys, threadpool_iface\n"
        "print([m for m in ('numba', 'llvmlite', 'kernels') if m in sys.modules], "
        "len(os.listdir('/proc/self/task')))")
    assert done.stdout == "[] 1\n", done.stderr


def test_repr_says_kind_size_policy_and_state():
    seen = []
    pool = OmpLikePool(1)
    assert repr(pool) == "<OmpLikePool: 1 thread, static, blocktime 2000 us, idle>"
    pool.parallel_for(1, lambda i, n: seen.append(repr(pool)))
    assert seen == ["<OmpLikePool: 1 thread, static, blocktime 2000 us, in use>"]
    pool.close()
    assert repr(pool) == "<OmpLikePool: 1 thread, static, blocktime 2000 us, closed>"
    with EigenLikePool(2, blocktime=math.inf, asynchronous=True) as stealing:
        assert repr(stealing) == (
            "<EigenLikePool: 2 threads, work-stealing, blocktime for ever, asynchronous, idle>")
