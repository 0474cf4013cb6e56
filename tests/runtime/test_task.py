"""Task: calls on cores of their own, their futures, the queue, and how it ends."""

from __future__ import annotations

import concurrent.futures
import gc
import os
import subprocess
import sys
import threading
import weakref

import pytest

from threadpool_iface import (
    CPUPool,
    EigenLikePool,
    OmpLikePool,
    PoolClosedError,
    Task,
    get_max_threads,
    get_threadpool,
    parallel,
    pin,
)
from threadpool_iface.topology import allowed_cpus

ALL = CPUPool()
FIRST, LAST = CPUPool(allowed_cpus()[:1]), CPUPool(allowed_cpus()[-1:])
LIMIT = 60


class Gate:
    """A function that says when it has started, and then waits to be let through."""

    def __init__(self):
        self.started, self.open = threading.Event(), threading.Event()

    def __call__(self, value=None):
        self.started.set()
        assert self.open.wait(LIMIT)
        return value


def where():
    return os.sched_getaffinity(0), get_threadpool(), threading.current_thread()


def test_a_call_gives_a_future_of_its_result():
    with Task(lambda a, b=0: a - b, LAST) as task:
        future = task(5, b=3)
        assert isinstance(future, concurrent.futures.Future)
        assert future.result(LIMIT) == 2


def test_it_runs_on_its_cores_with_a_pool_of_its_own():
    with Task(where, LAST) as task, Task(where, LAST, pool="eigen") as other:
        mask, pool, thread = task().result(LIMIT)
        assert mask == set(LAST)
        assert type(pool) is OmpLikePool
        assert pool.affinity == LAST.core_ids
        assert thread is task().result(LIMIT)[2] is not threading.current_thread()
        assert type(other().result(LIMIT)[1]) is EigenLikePool
    assert pool.closed


def test_regions_inside_run_on_its_cores():
    def count():
        seen = []
        parallel(4, lambda i, n: seen.append(i))
        return sorted(seen), get_max_threads()

    with Task(count, ALL) as task:
        assert task().result(LIMIT) == ([0, 1, 2, 3], len(ALL))


def test_calls_run_in_the_order_they_came():
    seen = []
    with Task(seen.append, LAST) as task:
        for i in range(100):
            task(i)
    assert seen == list(range(100))


def test_several_run_at_the_same_time():
    meet = threading.Barrier(3)
    with Task(meet.wait, FIRST) as one, Task(meet.wait, LAST) as two:
        futures = [one(LIMIT), two(LIMIT)]
        meet.wait(LIMIT)
        assert {future.result(LIMIT) for future in futures} < {0, 1, 2}


@pytest.mark.skipif(FIRST == LAST, reason="needs two CPUs")
def test_made_in_a_pinned_thread_it_goes_to_its_own_cores():
    def inside():
        with pin(FIRST):
            pass
        return os.sched_getaffinity(0), CPUPool()

    with pin(FIRST), Task(inside, LAST) as task:
        assert task().result(LIMIT) == (set(LAST), ALL)


@pytest.mark.parametrize("error", [ValueError("no"), SystemExit(3), KeyboardInterrupt()])
def test_what_it_raises_arrives_in_the_future_and_it_goes_on(error):
    def fail(raises):
        if raises:
            raise error

    with Task(fail, LAST) as task:
        assert task(True).exception(LIMIT) is error
        assert task(False).result(LIMIT) is None


def test_a_call_that_waits_can_be_cancelled_and_one_that_runs_cannot():
    gate = Gate()
    with Task(gate, LAST) as task:
        running, waiting, last = task(1), task(2), task(3)
        assert gate.started.wait(LIMIT)
        assert waiting.cancel()
        assert not running.cancel()
        gate.open.set()
        assert concurrent.futures.wait([running, waiting, last], LIMIT).not_done == set()
        assert (running.result(), last.result()) == (1, 3)
        with pytest.raises(concurrent.futures.CancelledError):
            waiting.result()


def test_callbacks_and_as_completed_work():
    seen = []
    with Task(lambda x: x, LAST) as task:
        futures = [task(i) for i in range(3)]
        futures[0].add_done_callback(lambda future: seen.append(future.result()))
        assert {future.result() for future in concurrent.futures.as_completed(futures, LIMIT)} == {
            0, 1, 2}
    assert seen == [0]


def test_a_callback_that_ends_its_thread_does_not_end_this_one(capsys):
    gate = Gate()
    with Task(gate, LAST) as task:
        task().add_done_callback(lambda future: sys.exit(3))
        gate.open.set()
        assert task(4).result(LIMIT) == 4
    assert "SystemExit: 3" in capsys.readouterr().err


def test_a_pool_that_was_closed_fails_calls_and_does_not_hang():
    pool = OmpLikePool(1)
    with Task(print, LAST, pool=lambda cores: pool) as task:
        pool.close()
        assert isinstance(task().exception(LIMIT), PoolClosedError)
        assert isinstance(task().exception(LIMIT), PoolClosedError)


def test_a_system_without_threads_to_give_is_quoted(monkeypatch):
    def refuse(self):
        raise RuntimeError("can't start new thread")

    with Task(abs, LAST) as task:
        with monkeypatch.context() as patch:
            patch.setattr(threading.Thread, "start", refuse)
            with pytest.raises(OSError, match="refused to start the thread of Task"):
                task(-1)
        assert task(-1).result(LIMIT) == 1


def test_a_full_queue_makes_callers_wait():
    gate, third = Gate(), []
    with Task(gate, LAST, maxsize=1) as task:
        task(1)
        assert gate.started.wait(LIMIT)
        task(2)
        caller = threading.Thread(target=lambda: third.append(task(3)))
        caller.start()
        assert not third
        gate.open.set()
        caller.join(LIMIT)
        assert third[0].result(LIMIT) == 3


def test_a_function_that_would_wait_for_itself_is_refused():
    def again():
        task()
        task()

    with Task(again, LAST, maxsize=1) as task:
        failed = task().exception(LIMIT)
        task.close(cancel_futures=True)
    assert isinstance(failed, RuntimeError)
    assert "would wait" in str(failed)


def test_closing_runs_what_waits_and_refuses_more():
    task = Task(lambda x: x, LAST)
    futures = [task(i) for i in range(5)]
    task.close()
    assert [future.result(0) for future in futures] == list(range(5))
    assert task.closed
    assert "closed" in repr(task)
    with pytest.raises(PoolClosedError, match="is closed"):
        task(1)
    task.close()


def test_closing_can_cancel_what_waits():
    gate = Gate()
    task = Task(gate, LAST)
    running, waiting = task(1), task(2)
    assert gate.started.wait(LIMIT)
    assert "1 waiting" in repr(task)
    closer = threading.Thread(target=task.close, kwargs={"cancel_futures": True})
    closer.start()
    assert concurrent.futures.wait([waiting], LIMIT).done == {waiting}
    gate.open.set()
    closer.join(LIMIT)
    assert waiting.cancelled()
    assert running.result(0) == 1


def test_closing_wakes_a_caller_that_waits_for_room():
    gate, failed = Gate(), []
    task = Task(gate, LAST, maxsize=1)
    task(1)
    assert gate.started.wait(LIMIT)
    task(2)

    def third():
        try:
            task(3)
        except PoolClosedError as error:
            failed.append(error)

    caller = threading.Thread(target=third)
    caller.start()
    closer = threading.Thread(target=task.close)
    closer.start()
    caller.join(LIMIT)
    woken = not caller.is_alive()
    gate.open.set()
    closer.join(LIMIT)
    assert woken
    assert len(failed) == 1


def test_its_own_calls_cannot_close_it():
    with Task(lambda: task.close(), LAST) as task:
        assert "cannot be closed by one of its own" in str(task().exception(LIMIT))


def test_one_never_called_closes():
    Task(print, LAST).close()


def test_dropped_it_finishes_and_ends_its_thread():
    gate = Gate()
    task = Task(gate, LAST)
    future, gone = task(7), weakref.ref(task)
    assert gate.started.wait(LIMIT)
    thread = next(t for t in threading.enumerate() if t.name.startswith("Task("))
    del task
    gc.collect()
    assert gone() is None
    gate.open.set()
    assert future.result(LIMIT) == 7
    thread.join(LIMIT)
    assert not thread.is_alive()


@pytest.mark.parametrize(("arguments", "error", "why"), [
    (("f", ALL), TypeError, "function must be callable, not 'f'"),
    ((print, [0]), TypeError, "cpu_pool must be a CPUPool"),
    ((print, ALL - ALL), ValueError, "cpu_pool must have a CPU")])
def test_wrong_arguments_are_refused(arguments, error, why):
    with pytest.raises(error, match=why):
        Task(*arguments)


@pytest.mark.parametrize(("maxsize", "error"), [(0, ValueError), (True, TypeError),
                                                ("4", TypeError)])
def test_a_queue_needs_room(maxsize, error):
    with pytest.raises(error, match="maxsize must be"):
        Task(print, ALL, maxsize=maxsize)


def python(code: str) -> subprocess.CompletedProcess[str]:
    prelude = ("import os, threading, time\nimport numpy\nfrom threadpool_iface import *\n"
               f"cores = CPUPool({list(LAST)})\n")
    return subprocess.run([sys.executable, "-c", prelude + code], capture_output=True, text=True,
                          timeout=LIMIT)


def test_the_interpreter_finishes_calls_that_wait():
    done = python("task = Task(lambda i: print(i, flush=True), cores)\n"
                  "for i in range(3): task(i)")
    assert done.stdout.split() == ["0", "1", "2"], done.stderr
    assert done.stderr == ""


def test_the_interpreter_ends_with_tasks_left_open_and_threads_waiting_for_them():
    done = python("""
task = Task(parallel, cores)
task(4, lambda i, n: None).result()
idle = Task(print, cores)
waiter = threading.Thread(target=lambda: print(task(2, lambda i, n: time.sleep(.05)).result()))
waiter.start()
""")
    assert done.stdout == "None\n", done.stderr
    assert done.stderr == ""


CHILD = """
def in_child(fork):
    if not (child := fork()):
        try:
            os._exit(work())
        finally:
            os._exit(99)
    return os.waitpid(child, 0)[1] >> 8
"""


def test_in_a_forked_child_old_calls_fail_and_new_ones_run():
    done = python(CHILD + """
go, started = threading.Event(), threading.Event()
def function(wait):
    if wait:
        started.set()
        go.wait()
    return 5

task = Task(function, cores)
running, waiting = task(True), task(True)
started.wait()
def work():
    lost = [f.exception(0) for f in (running, waiting)]
    assert all(isinstance(e, ThreadpoolError) and "forked" in str(e) for e in lost), lost
    return task(False).result()
print(in_child(os.fork))
go.set()
print(running.result(), waiting.result())
task.close()
""")
    assert done.stdout == "5\n5 5\n", done.stderr


def test_a_fork_inside_a_call_ends():
    done = python("""
def forks():
    child = os.fork()
    return child and os.waitpid(child, 0)[1]
with Task(forks, cores) as task:
    print(task().result())
    print(task().result())
""")
    assert done.stdout == "0\n0\n", done.stderr
