"""`who()` and `threadpool-iface who`: pools, their users, their sizes and why."""

from __future__ import annotations

import os
import subprocess
import sys
import threading

import pytest

from threadpool_iface import (
    CPUPool,
    EigenLikePool,
    OmpLikePool,
    SequentialPool,
    default_num_threads,
    parallel,
    set_default_threadpool,
    set_threadpool,
    threadpool,
    who,
)
from threadpool_iface.cli.__main__ import main
from threadpool_iface.topology import allowed_cpus


def use_of(pool):
    (found,) = (use for use in who().pools if use.pool == repr(pool))
    return found


def test_a_pool_is_listed_with_its_users_and_its_work():
    pool, release, ready = OmpLikePool(2, blocktime=123), threading.Event(), threading.Event()

    def worker():
        with threadpool(pool):
            ready.set()
            release.wait(60)

    thread = threading.Thread(target=worker, name="a worker of the test")
    thread.start()
    ready.wait(60)
    with threadpool(pool):
        parallel(3, lambda ithr, nthr: None)
        use = use_of(pool)
        assert use.num_threads == 2
        assert use.active_in == tuple(sorted(["a worker of the test",
                                              threading.current_thread().name]))
        assert (use.regions, use.tasks, use.running, use.default) == (1, 3, False, False)
    release.set()
    thread.join()
    assert use_of(pool).active_in == ()
    set_default_threadpool(pool)
    assert use_of(pool).default
    set_default_threadpool(None)
    pool.close()
    assert not any(use.pool == repr(pool) for use in who().pools)


def test_a_running_region_is_seen():
    with EigenLikePool(2, blocktime=7) as pool, threadpool(pool):
        seen = []
        parallel(1, lambda ithr, nthr: seen.append(use_of(pool).running))
        assert seen == [True]


@pytest.mark.parametrize(("make", "why"), [
    (lambda: OmpLikePool(2), "asked for"),
    (lambda: OmpLikePool(), "as many as this process may run at once"),
    (lambda: EigenLikePool(), "as many as this process may run at once"),
    (lambda: EigenLikePool(CPUPool(core_ids=allowed_cpus()[:1])), "its cores"),
    (lambda: OmpLikePool(affinity=CPUPool(core_ids=allowed_cpus()[:1])), "its cores"),
    (lambda: SequentialPool(), "its own"),
])
def test_the_size_has_a_reason(make, why, monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    with make() as pool, threadpool(pool):
        # Equal pools of other tests may not have been collected yet.
        assert why in {use.why for use in who().pools if use.pool == repr(pool)}


def test_a_size_from_the_environment_is_named(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "2,1")
    with OmpLikePool(blocktime=31) as pool:
        assert use_of(pool).why == "OMP_NUM_THREADS"


def test_threads_without_a_pool_by_choice_are_named():
    set_threadpool(None)
    found = who()
    assert threading.current_thread().name in found.sequential
    assert f"may run {default_num_threads()} threads at once" in str(found)


PROGRAM = """
import sys, time
from threadpool_iface import OmpLikePool, parallel, set_threadpool
set_threadpool(OmpLikePool(2, blocktime=55))
for _ in range(5):
    parallel(2, lambda ithr, nthr: time.sleep(0.05))
print("the program's own", sys.argv[1:])
sys.exit(int(sys.argv[1]))
"""


def test_a_program_is_run_and_described(tmp_path):
    script = tmp_path / "program.py"
    script.write_text(PROGRAM)
    done = subprocess.run(
        [sys.executable, "-m", "threadpool_iface.cli", "who", str(script), "3", "--flag"],
        capture_output=True, text=True, timeout=120, check=False, env=os.environ)
    assert done.returncode == 3
    assert done.stdout == "the program's own ['3', '--flag']\n"
    assert "OmpLikePool: 2 threads, static, blocktime 55 us" in done.stderr
    assert "2 threads: asked for" in done.stderr
    assert "active in MainThread" in done.stderr
    assert "5 regions, 10 tasks so far" in done.stderr
    assert "a region was running in" in done.stderr


def described(tmp_path, program):
    script = tmp_path / "program.py"
    script.write_text(program)
    return subprocess.run([sys.executable, "-m", "threadpool_iface.cli", "who", str(script)],
                          capture_output=True, text=True, timeout=120, check=False)


def test_equal_pools_of_a_program_are_two_and_a_busy_one_is_not(tmp_path):
    done = described(tmp_path, """
import time
from threadpool_iface import OmpLikePool, parallel, threadpool
pools = OmpLikePool(2, blocktime=55), OmpLikePool(2, blocktime=55)
for pool in pools:
    with threadpool(pool):
        parallel(2, lambda ithr, nthr: time.sleep(0.1))
        time.sleep(0.1)
""")
    assert done.stderr.count("blocktime 55 us") == 2
    assert done.stderr.count("1 region, 2 tasks so far") == 2


def test_a_program_that_fails_is_described_too(tmp_path):
    done = described(tmp_path, """
from threadpool_iface import OmpLikePool
pool = OmpLikePool(2, blocktime=56)
pool.parallel_for(1, lambda ithr, nthr: None)
raise ValueError("the program's own")
""")
    assert done.returncode == 1
    assert "blocktime 56 us" in done.stderr
    assert "ValueError: the program's own" in done.stderr


def test_a_program_that_is_not_there_is_an_error(capsys):
    assert main(["who", "no-such-program.py"]) == 2
    assert "no-such-program.py is not a file" in capsys.readouterr().err
