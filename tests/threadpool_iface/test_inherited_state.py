"""What forked children, subprocesses and workers inherit; and regions at the interpreter's end."""

from __future__ import annotations

import pytest

from .test_life_cycle import python

KINDS = ["OmpLikePool(2)", "EigenLikePool(2)"]
USES = {
    "nothing": "",
    "nested": "pool.parallel_for(2, lambda i, n: None)",
    "gang": "pool.run_together(2, lambda i, n: barrier())",
    "park": "pool.park()",
    "thread": "t = threading.Thread(target=lambda: pool.parallel_for(4, lambda i, n: None)); "
              "t.start(); t.join()",
    "schedule": "isinstance(pool, EigenLikePool) and pool.schedule(int); pool.wait()",
    "close": "other.close()",
}


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("where", ["caller", "worker"])
@pytest.mark.parametrize("start", ["parallel_for", "run_together"])
@pytest.mark.parametrize("pool", KINDS)
def test_a_child_that_a_task_forked_can_use_the_pool(pool, start, where, use):
    """In the frame of the task that forked, and after it."""
    done = python(f"""
pool, other = {pool}, {pool}
for each in (pool, other):
    each.parallel_for(2, lambda i, n: None)
main, me, forked = threading.main_thread(), os.getpid(), []
def task(i, n):
    if forked or (threading.current_thread() is main) != ({where!r} == "caller"):
        time.sleep(0.001)  # so that the other thread gets a task of the region too
        return
    forked.append(i)
    child = os.fork()
    if child:
        print("child", os.waitpid(child, 0)[1] >> 8, flush=True)
        return
    assert not in_parallel()
    {USES[use]}
    if {where!r} == "worker":
        os._exit(7)
try:
    while not forked:
        pool.{start}(2, task)
except ThreadpoolError as error:
    assert os.getpid() != me and "forked" in str(error)
if os.getpid() != me:
    for _ in range(3):
        seen = []
        pool.parallel_for(5, lambda i, n: seen.append(i))
        pool.run_together(2, lambda i, n: barrier())
        assert len(seen) == 5 and not pool.closed
    pool.close()
    os._exit(7)
pool.parallel_for(5, lambda i, n: None)
pool.close()
print("parent ok")
""")
    assert done.stdout == "child 7\nparent ok\n", done.stdout + done.stderr


def test_the_old_region_claims_nothing_of_the_childs():
    """In the child, a thread's region goes on while the frames of the parent's region are left."""
    done = python("""
pool = OmpLikePool(2, schedule="dynamic")
me, ran, begun, left = os.getpid(), [0] * 40, threading.Event(), threading.Event()
def other(i, n):
    ran[i] += 1
    begun.set()
    left.wait()
def task(i, n):
    if os.getpid() == me and threading.current_thread() is threading.main_thread():
        child = os.fork()
        if child:
            os.waitpid(child, 0)
            return
        threading.Thread(target=lambda: pool.parallel_for(40, other)).start()
        begun.wait()
try:
    pool.parallel_for(40, task)
except ThreadpoolError:
    left.set()
    for thread in threading.enumerate():
        if thread is not threading.current_thread(): thread.join()
    print(ran == [1] * 40, flush=True)
    os._exit(0)
""")
    assert set(done.stdout.split()) == {"True"}, done.stdout + done.stderr


def test_the_old_region_does_not_take_the_childs_team():
    """It ran its tasks one by one because the team was busy; in the child it is free."""
    done = python("""
pool, me, seen = OmpLikePool(2), os.getpid(), []
busy, over = threading.Event(), threading.Event()
def hold(i, n):
    busy.set()
    over.wait()
holder = threading.Thread(target=lambda: pool.parallel_for(2, hold))
holder.start()
busy.wait()
def task(i, n):
    seen.append(i)
    if i == 0 and os.fork() == 0:
        pool.close()
def told():
    try:
        pool.parallel_for(4, task)
    except ThreadpoolError as error:
        assert os.getpid() != me and "forked" in str(error)
        os._exit(0 if seen == [0] and len(os.listdir('/proc/self/task')) == 1 else 1)
told()
print(os.wait()[1], seen)
over.set()
holder.join()
""")
    assert done.stdout == "0 [0, 1, 2, 3]\n", done.stdout + done.stderr


@pytest.mark.parametrize("pool", KINDS)
def test_a_failure_in_a_child_of_a_worker_is_told(pool):
    done = python(f"""
pool = {pool}
def task(i, n):
    if threading.current_thread() is not threading.main_thread():
        child = os.fork()
        if child == 0:
            raise ValueError("in the child")
        print(os.waitpid(child, 0)[1] >> 8)
pool.run_together(2, task)
""")
    assert done.stdout == "1\n"
    assert "ValueError: in the child" in done.stderr


ENDS = {
    "pool.parallel_for(2, lambda i, n: None)": (0, ""),  # and leaves the pool's workers behind
    "sys.exit()": (0, ""),
    "sys.exit(7)": (7, ""),
    "sys.exit(-1)": (255, ""),
    "sys.exit('some reason')": (1, "some reason\n"),
}


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("pool", KINDS)
def test_a_child_of_a_worker_ends_with_the_task(pool, end):
    """As a program ends: with the status of `sys.exit`, and what was printed is written."""
    done = python(f"""
import signal
pool = {pool}
def task(i, n):
    if threading.current_thread() is not threading.main_thread():
        child = os.fork()
        if child == 0:
            signal.alarm(20)
            {end}
            return
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
pool.run_together(2, task)
""")
    status, wrote = ENDS[end]
    assert (done.stdout, done.stderr) == (f"{status}\n", wrote)


def test_what_the_child_of_a_worker_printed_is_written_when_it_exits():
    done = python("""
sys.stdout = open(1, "w")  # which is buffered, whatever the environment says
def task(i, n):
    if threading.current_thread() is not threading.main_thread():
        child = os.fork()
        if child == 0:
            print("in the child")
            sys.exit()
        os.waitpid(child, 0)
OmpLikePool(2).run_together(2, task)
""")
    assert done.stdout == "in the child\n", done.stderr


@pytest.mark.parametrize("pool", KINDS)
def test_a_worker_may_fork_while_threads_start_and_end(pool):
    """`threading` takes a lock of its own then, and took it in the child of an unknown thread."""
    done = python(f"""
import signal
starting = getattr(threading, "_shutdown_locks_lock", threading.Lock())
forked = []
def task(i, n):
    if i == 0:
        with starting:
            while not forked: pass
    else:
        child = os.fork()
        if child == 0:
            os._exit(7)
        forked.append(child)
{pool}.run_together(2, task)
for _ in range(2000):
    ended, status = os.waitpid(forked[0], os.WNOHANG)
    if ended: break
    time.sleep(0.01)
else:
    os.kill(forked[0], signal.SIGKILL)
print(status >> 8)
""")
    assert done.stdout == "7\n", done.stderr


@pytest.mark.parametrize("end", ["sys.exit(7)", "1 // 0", "pass"])
def test_a_scheduled_task_that_its_caller_ran_may_fork(end):
    """The worker is busy and its queue is full; the child hears of the failure all the same."""
    done = python(f"""
pool, go = EigenLikePool(2), threading.Event()
pool.schedule(go.wait)
for _ in range(2000):
    pool.schedule(int)
main, child = threading.get_ident(), None
def task():
    global child
    assert threading.get_ident() == main
    child = os.fork()
    if child == 0:
        {end}
latch = pool.schedule(task)
if child == 0:
    latch.wait()
    os._exit(0)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
go.set()
pool.wait()
""")
    assert done.stdout == {"sys.exit(7)": "7\n"}.get(end, "1\n"), done.stderr
    assert {"pass": "forked", "1 // 0": "ZeroDivisionError"}.get(end, "") in done.stderr


@pytest.mark.parametrize("pool", KINDS)
def test_multiprocessing_from_inside_a_task(pool):
    done = python(f"""
import multiprocessing
def work(queue):
    own = {pool}
    queue.put(in_parallel())
    set_threadpool(own)
    seen = []
    parallel(4, lambda i, n: seen.append(i))
    queue.put(len(seen))
def task(i, n):
    if i == 0:
        context = multiprocessing.get_context("fork")
        queue = context.SimpleQueue()
        process = context.Process(target=work, args=(queue,))
        process.start()
        process.join(60)
        print(process.exitcode, queue.get(), queue.get())
with {pool} as pool:
    pool.parallel_for(2, task)
""")
    assert done.stdout == "0 False 4\n", done.stdout + done.stderr


def test_a_child_beside_a_running_latch_exits_silently():
    done = python("""
pool = EigenLikePool(2)
latch = pool.schedule(time.sleep, 0.5)
if os.fork() == 0:
    sys.exit(0)
print(os.wait()[1])
latch.wait()
""")
    assert (done.stdout, done.stderr) == ("0\n", "")


def test_children_forked_beside_threads_that_schedule_can_exit():
    """A lock that another thread held would never get free in them."""
    done = python("""
pool, stop = EigenLikePool(2), []
def work():
    while not stop:
        pool.schedule(int).wait()
threads = [threading.Thread(target=work) for _ in range(3)]
for thread in threads: thread.start()
for _ in range(150):
    child = os.fork()
    if child == 0:
        sys.exit(0)
    assert os.waitpid(child, 0)[1] == 0
stop.append(1)
for thread in threads: thread.join()
print("ok")
""", timeout=120)
    assert done.stdout == "ok\n", done.stderr


@pytest.mark.parametrize("pool", KINDS)
def test_a_workers_subprocess_can_be_terminated(pool):
    done = python(f"""
import subprocess
main = threading.main_thread()
def task(i, n):
    process = subprocess.Popen(["sleep", "100"])
    with open(f"/proc/{{process.pid}}/status") as status:
        blocked = [line.split()[1] for line in status if line.startswith("SigBlk")]
    process.terminate()
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
    line = f"{{threading.current_thread() is main}} {{int(blocked[0], 16)}} {{process.wait()}}\\n"
    os.write(1, line.encode())  # in one piece, beside the other task's
with {pool} as pool:
    pool.run_together(2, task)
""")
    assert sorted(done.stdout.split("\n")) == ["", "False 0 -15", "True 0 -15"], done.stderr


@pytest.mark.parametrize("pool", KINDS)
def test_a_crash_on_a_worker_is_not_silent(pool):
    done = python(f"""
import ctypes
main = threading.main_thread()
def task(i, n):
    if threading.current_thread() is not main:
        ctypes.string_at(0)
    time.sleep(100)
with {pool} as pool:
    pool.run_together(2, task)
""")
    assert done.returncode == -11
    assert "Segmentation fault" in done.stderr


def test_a_child_of_a_bound_worker_is_not_bound():
    done = python("""
mask = os.sched_getaffinity(0)
pool = OmpLikePool(2, affinity=[min(mask)])
def task(i, n):
    if i == 1:
        assert os.sched_getaffinity(0) == {min(mask)}
        child = os.fork()
        if child == 0:
            name = open("/proc/self/comm").read().strip()
            os._exit(os.sched_getaffinity(0) != mask or name.startswith("tpi"))
        print(os.waitpid(child, 0)[1])
pool.run_together(2, task)
""")
    assert done.stdout == "0\n", done.stderr


AT_THE_END = [(pool, start) for pool in KINDS
              for start in ("pool.parallel_for(50, task)", "parallel(50, task)")]
AT_THE_END.append(("EigenLikePool(2)", "[pool.schedule(task, i, 1) for i in range(50)]"))


@pytest.mark.parametrize(("pool", "start"), AT_THE_END)
def test_regions_while_modules_are_torn_down_run_on_the_caller(pool, start):
    done = python(f"""
pool = {pool}
set_threadpool(pool)
pool.parallel_for(2, lambda i, n: None)
class Flusher:
    def __del__(self, pool=pool, parallel=parallel, write=os.write):
        seen = []
        def task(i, n):
            seen.append(i)
        for _ in range(20):
            {start}
        write(1, b"%d\\n" % len(seen))
keep = Flusher()
""", timeout=30)
    assert (done.returncode, done.stdout) == (0, "1000\n"), done.stderr
