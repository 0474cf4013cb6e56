"""Processes that fork, end, and make many pools: the child works or says why not, nothing hangs."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

KINDS = ["OmpLikePool(2)", "OmpLikePool(2, blocktime=0)", "EigenLikePool(2)",
         "EigenLikePool(3, blocktime=0)"]


def python(code: str, *, timeout: float = 60) -> subprocess.CompletedProcess[str]:
    """Run it in a process of its own; one that hangs is a TimeoutExpired."""
    prelude = "import os, sys, threading, time\nfrom threadpool_iface import *\n"
    return subprocess.run([sys.executable, "-W", "ignore", "-c", prelude + code],
                          capture_output=True, text=True, check=False, timeout=timeout,
                          env={**os.environ, "PYTHONFAULTHANDLER": "1"})


CHILD = """
def in_child(pool):
    seen = []
    pool.parallel_for(5, lambda i, n: seen.append(i))
    pool.run_together(2, lambda i, n: (barrier(), seen.append(i)))
    os._exit(0 if sorted(seen) == [0, 0, 1, 1, 2, 3, 4] else 1)

def forked(pool):
    child = os.fork()
    if child == 0:
        in_child(pool)
    return os.waitpid(child, 0)[1]
"""


@pytest.mark.parametrize("pool", KINDS)
def test_fork_before_between_and_after_regions(pool):
    done = python(CHILD + f"""
pool = {pool}
print(forked(pool))
for _ in range(10):
    pool.parallel_for(4, lambda i, n: None)
    assert forked(pool) == 0
pool.parallel_for(4, lambda i, n: None)
print("ok")
""")
    assert done.stdout == "0\nok\n", done.stderr


@pytest.mark.parametrize("pool", KINDS)
def test_fork_while_other_threads_run_regions(pool):
    done = python(CHILD + f"""
import numba
from threadpool_iface.native import lib, ffi
pool = {pool}
@numba.cfunc("int32(voidptr, int32, int32)")
def task(ctx, ithr, nthr):
    x = 1.0
    for i in range(2000):
        x = x * 0.999 + 1e-3
    return 0 if x > 0 else 1

stop = []
def caller():
    while not stop:
        pool.parallel_for(8, task)
threads = [threading.Thread(target=caller) for _ in range(2)]
for thread in threads: thread.start()
time.sleep(0.05)
failed = sum(forked(pool) != 0 for _ in range(100))
stop.append(1)
for thread in threads: thread.join()
pool.parallel_for(8, task)
print(failed)
""", timeout=120)
    assert done.stdout == "0\n", done.stderr


@pytest.mark.parametrize("pool", KINDS)
def test_fork_inside_a_task(pool):
    """In the child the region's other tasks are gone: its caller gets an error, not a hang."""
    done = python(CHILD + f"""
pool = {pool}
me = os.getpid()
def task(i, n):
    if i == 0:  # on the caller or on a worker
        child = os.fork()
        if child:
            print("child", os.waitpid(child, 0)[1] in (0, 7 << 8), flush=True)
try:
    pool.parallel_for(2, task)
except ThreadpoolError as error:
    assert os.getpid() != me and "forked" in str(error)
    seen = []
    pool.parallel_for(5, lambda i, n: seen.append(i))
    os._exit(7 if len(seen) == 5 else 1)
if os.getpid() != me:
    os._exit(0)
pool.parallel_for(5, lambda i, n: None)
print("parent ok")
""")
    assert done.stdout == "child True\nparent ok\n", done.stderr


def test_fork_inside_a_gang_and_with_scheduled_tasks():
    done = python("""
pool = EigenLikePool(2)
go = threading.Event()
latch = pool.schedule(go.wait, 30)
child = os.fork()
if child == 0:
    try:
        pool.wait()
    except ThreadpoolError as error:
        seen = []
        pool.schedule(seen.append, 1).wait()
        os._exit(7 if "forked" in str(error) and seen == [1] else 1)
    os._exit(2)
print(os.waitpid(child, 0)[1] >> 8)
go.set()
pool.wait()
print("ok")
""")
    assert done.stdout == "7\nok\n", done.stderr


def test_a_child_that_closes_or_drops_the_parents_pool():
    done = python("""
pool, other = OmpLikePool(3), EigenLikePool(3)
for each in (pool, other):
    each.parallel_for(3, lambda i, n: None)
child = os.fork()
if child == 0:
    pool.close()
    del other, each
    try:
        pool.parallel_for(2, lambda i, n: None)
    except PoolClosedError:
        os._exit(7)
print(os.waitpid(child, 0)[1] >> 8)
for each in (pool, other):
    each.parallel_for(3, lambda i, n: None)
print("ok")
""")
    assert done.stdout == "7\nok\n", done.stderr


MODULE = """
from threadpool_iface import EigenLikePool, OmpLikePool, barrier, set_threadpool, parallel
POOLS = [OmpLikePool(2), EigenLikePool(2)]

def work(n):
    total = []
    for pool in POOLS:
        set_threadpool(pool)
        parallel(n, lambda i, n: total.append(i))
        pool.run_together(2, lambda i, n: barrier())
    return sum(total)

if __name__ == "__main__":
    import multiprocessing, sys
    from concurrent.futures import ProcessPoolExecutor
    assert work(4) == 12
    context = multiprocessing.get_context(sys.argv[1])
    with ProcessPoolExecutor(2, mp_context=context) as executor:
        print(list(executor.map(work, range(1, 8))))
    with context.Pool(2) as pool:
        print(pool.map(work, range(1, 8)))
"""


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_multiprocessing(tmp_path, method):
    script = tmp_path / "script.py"
    script.write_text(MODULE)
    done = subprocess.run([sys.executable, "-W", "ignore", str(script), method],
                          capture_output=True, text=True, check=False, timeout=120)
    expected = str([i * (i - 1) for i in range(1, 8)])
    assert done.stdout == f"{expected}\n{expected}\n", done.stderr


def test_subprocesses_from_inside_a_task():
    done = python("""
import subprocess
with OmpLikePool(2) as pool:
    out = []
    pool.parallel_for(4, lambda i, n: out.append(subprocess.check_output(["echo", str(i)])))
    print(sorted(out))
""")
    assert done.stdout == "[b'0\\n', b'1\\n', b'2\\n', b'3\\n']\n", done.stderr


REGIONS_AT_EXIT = {
    "python tasks": "pool.parallel_for(4, lambda i, n: None)",
    "long python task": "pool.parallel_for(2, lambda i, n: time.sleep(1000))",
    "gang": "pool.run_together(2, lambda i, n: barrier())",
    "gang that waits": "pool.run_together(2, lambda i, n: i and time.sleep(1000) or barrier())",
}


@pytest.mark.parametrize("region", REGIONS_AT_EXIT)
@pytest.mark.parametrize("pool", KINDS)
def test_the_interpreter_ends_although_daemon_threads_are_in_regions(pool, region):
    done = python(f"""
pool = {pool}
set_threadpool(pool)
parallel(2, lambda i, n: None)
def forever():
    while True:
        {REGIONS_AT_EXIT[region]}
threading.Thread(target=forever, daemon=True).start()
time.sleep(0.1)
print("end")
""", timeout=30)
    assert (done.returncode, done.stdout) == (0, "end\n"), done.stderr


@pytest.mark.parametrize("pool", KINDS)
def test_pools_work_in_exit_handlers(pool):
    """Also in those that were registered before this library was imported, and so run after it."""
    code = f"""
import atexit
def late():
    seen = []
    pool.parallel_for(3, lambda i, n: seen.append(i))
    pool.close()
    print(sorted(seen))
atexit.register(late)
from threadpool_iface import *
atexit.register(lambda: late.__globals__["pool"].parallel_for(3, lambda i, n: None))
pool = {pool}
"""
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True,
                          text=True, check=False, timeout=30)
    assert (done.returncode, done.stdout) == (0, "[0, 1, 2]\n"), done.stderr


def test_system_exit_in_a_task_ends_the_program():
    done = python("""
with OmpLikePool(2) as pool:
    pool.parallel_for(4, lambda i, n: sys.exit(5))
""")
    assert done.returncode == 5, done.stderr


@pytest.mark.parametrize("pool", KINDS)
def test_thousands_of_pools_leave_nothing_behind(pool):
    done = python(f"""
import gc
def used():
    pages = int(open("/proc/self/statm").read().split()[1])
    return len(os.listdir("/proc/self/task")), len(os.listdir("/proc/self/fd")), pages * 4 // 1024
def use(times):
    for number in range(times):
        pool = {pool}
        pool.parallel_for(4, lambda i, n: None)
        if number % 2:
            pool.close()
        if number % 3 == 0:
            pool.itself = pool  # a cycle: only the collector finds it
        del pool
        if number % 100 == 99:
            gc.collect()
    gc.collect()
use(300)
before = used()
use(2000)
after = used()
print(before[:2] == after[:2], after[2] - before[2] <= 4)
""", timeout=120)
    assert done.stdout == "True True\n", done.stdout + done.stderr


def test_a_pool_that_only_a_thread_uses_ends_with_it():
    done = python("""
def work():
    set_threadpool(OmpLikePool(4))
    parallel(4, lambda i, n: None)
for _ in range(50):
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
time.sleep(0.1)
print(len(os.listdir("/proc/self/task")))
""")
    assert done.stdout == "1\n", done.stderr


@pytest.mark.parametrize("pool", KINDS)
def test_closing_in_a_late_exit_handler_does_not_wait_for_daemon_threads(pool):
    code = f"""
import atexit, threading, time
atexit.register(lambda: pool.close())  # runs after the library's own handler
from threadpool_iface import *
pool = {pool}
threading.Thread(target=pool.parallel_for, args=(2, lambda i, n: time.sleep(1000)),
                 daemon=True).start()
time.sleep(0.1)
print("end")
"""
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True,
                          text=True, check=False, timeout=30)
    assert (done.returncode, done.stdout) == (0, "end\n"), done.stderr
