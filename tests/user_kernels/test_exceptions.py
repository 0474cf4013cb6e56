"""What a body raises arrives in the caller as it is, once, after all tasks have ended."""

from __future__ import annotations

import subprocess
import sys
import threading

import numpy as np
import pytest
from numba import njit, types

from threadpool_iface import (
    EigenLikePool,
    OmpLikePool,
    PoolClosedError,
    parallel,
    parallel_for,
    parallel_nd,
    parallel_reduce,
    parallel_scan,
    threadpool,
)

from .bodies import add, count_up

pytestmark = pytest.mark.filterwarnings("ignore::threadpool_iface.OversubscriptionWarning")


#: Besides yielding, a call that the compiler cannot look into, so that it reads memory again.
sched_yield = types.ExternalFunction("sched_yield", types.int32())


class Refused(Exception):  # noqa: N818 - as a user's may be called
    def __init__(self, what, number):
        super().__init__(what, number)
        self.number = number


@njit
def refuses(begin, end, where):
    if begin <= where < end:
        raise Refused("planned", 7)


@njit
def refuses_at_run_time(begin, end, where, x):
    if begin <= where < end:
        raise Refused("planned", x)


@njit
def task_refuses(ithr, nthr, where):
    if ithr == where:
        raise Refused("planned", 7)


@njit
def point_refuses(i, j, where):
    if i == where:
        raise Refused("planned", 7)


@njit
def sum_refuses(begin, end, acc, where):
    refuses(begin, end, where)
    return acc


@njit
def for_refuses(where):
    parallel_for(100, refuses, where, grain=1, schedule="dynamic")


@njit
def fails(begin, end, x):
    raise Refused("all of them", begin * 0 + x)


@njit
def nested_refuses(begin, end):
    for_refuses(3)


@njit(nogil=True)
def all_kinds_refuse(kind, where):
    if kind == 0:
        parallel(10, task_refuses, where)
    elif kind == 1:
        parallel_for(100, refuses, where)
    elif kind == 2:
        parallel_nd((10, 10), point_refuses, where)
    elif kind == 3:
        parallel_reduce(100, sum_refuses, 0.0, where, combine=add)
    elif kind == 4:
        parallel_scan(100, sum_refuses, 0.0, where, combine=add)


PYTHON_CALLS = {
    "parallel": lambda: parallel(10, task_refuses, 3),
    "parallel_for": lambda: parallel_for(100, refuses, 3),
    "dynamic": lambda: parallel_for(100, refuses, 3, grain=1, schedule="dynamic"),
    "static": lambda: parallel_for(100, refuses, 3, schedule="static"),
    "on the caller": lambda: parallel_for(100, refuses, 3, max_num_threads=0),
    "parallel_nd": lambda: parallel_nd((10, 10), point_refuses, 3),
    "parallel_reduce": lambda: parallel_reduce(100, sum_refuses, 0.0, 3, combine=add),
    "parallel_scan": lambda: parallel_scan(100, sum_refuses, 0.0, 3, combine=add),
    **{f"compiled {i}": lambda i=i: all_kinds_refuse(i, 3) for i in range(5)},
}


@pytest.mark.parametrize("call", PYTHON_CALLS)
def test_the_exception_arrives_with_its_type_and_arguments(call, pool):
    with pytest.raises(Refused) as caught:
        PYTHON_CALLS[call]()
    assert caught.value.args == ("planned", 7)
    assert caught.value.number == 7
    seen = np.zeros(10, np.int64)
    parallel_for(10, count_up, seen)
    assert (seen == 1).all()


def test_arguments_known_at_run_time_only_arrive_too(pool):
    for x in range(50):
        with pytest.raises(Refused) as caught:
            parallel_for(100, refuses_at_run_time, 5, x)
        assert caught.value.args == ("planned", x)


def test_many_failures_at_once_are_one(pool):
    for x in range(200):
        with pytest.raises(Refused) as caught:
            parallel_for(16, fails, x, grain=1, schedule="dynamic")
        assert caught.value.args == ("all of them", x)


def test_a_compiled_caller_may_catch_it():
    @njit
    def catches(n):
        try:
            parallel_for(n, refuses, 3)
        except Exception:
            return -1
        return 1

    with OmpLikePool(2) as made, threadpool(made):
        assert [catches(n) for n in (3, 4, 100)] == [1, -1, -1]


def test_a_failure_in_a_nested_region_leaves_both(pool):
    with pytest.raises(Refused):
        parallel_for(10, nested_refuses)


@pytest.mark.parametrize("kind", [OmpLikePool, EigenLikePool])
def test_no_range_starts_after_a_failure(kind):
    @njit
    def body(begin, end, started, where):
        started[begin] = 1
        if begin == where:
            raise Refused("planned", 7)
        while not started[where]:
            sched_yield()

    started = np.zeros(100_000, np.uint8)
    with kind(1) as made, threadpool(made), pytest.raises(Refused):
        parallel_for(len(started), body, started, 0, grain=1, schedule="dynamic")
    assert started.sum() == 1
    started[:] = 0
    with kind(2) as made, threadpool(made), pytest.raises(Refused):
        parallel_for(len(started), body, started, 0, grain=1, schedule="dynamic")
    assert started.sum() < len(started)


def test_all_tasks_have_ended_when_it_arrives():
    @njit
    def body(begin, end, state):
        if begin == 0:
            while not state[1]:  # until the other one runs
                sched_yield()
            raise Refused("planned", 7)
        state[1] = 1
        for i in range(10_000_000):
            state[3] += i & state[1]
        state[2] = 1

    state = np.zeros(4, np.int64)
    with OmpLikePool(2) as made, threadpool(made):
        made.run_together(2, lambda i, n: None)  # both threads are there
        with pytest.raises(Refused):
            parallel_for(2, body, state, schedule="static")
    assert state[2] == 1


def test_a_closed_pool_says_so():
    @njit
    def caller(seen):
        parallel_for(len(seen), count_up, seen)

    seen = np.zeros(3, np.int64)
    with OmpLikePool(2) as made, threadpool(made):
        caller(seen)
        made.close()
        for call in (lambda: caller(seen), lambda: parallel_for(3, count_up, seen)):
            with pytest.raises(PoolClosedError, match="OmpLikePool"):
                call()
    assert (seen == 1).all()


def test_threads_that_fail_at_the_same_time_get_their_own():
    wrong = []

    def caller(number):
        with kinds[number % 2](2) as made, threadpool(made):
            for _ in range(50):
                try:
                    parallel_for(20, refuses_at_run_time, number, number)
                except Refused as error:
                    if error.number != number:
                        wrong.append(error)

    kinds = (OmpLikePool, EigenLikePool)
    parallel_for(1, refuses_at_run_time, 5, 5)
    threads = [threading.Thread(target=caller, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


INTERRUPTED = """
import os, signal, threading
import numpy as np
from numba import njit
from threadpool_iface import EigenLikePool, OmpLikePool, parallel, parallel_for, threadpool

@njit
def spin(begin, end, x, seen):
    for i in range(begin, end):
        y = 1.0 + i
        for _ in range({steps}):
            y = y * 0.999999 + 1e-6
        seen[i] = y > 0

@njit
def task(ithr, nthr, x, seen):
    spin(ithr, ithr + 1, x, seen)

@njit
def compiled(n, x, seen):
    parallel_for(n, spin, x, seen, grain=1, schedule="dynamic")

seen = np.zeros(4000, np.uint8)
with threadpool({pool}):
    {call}(1, *({bodies}), 0.0, seen)
    threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
    try:
        {call}(4000, *({bodies}), 0.0, seen)
    except KeyboardInterrupt:
        print("interrupted", 0 < seen.sum() < 4000)
    parallel(2, lambda i, n: None)
"""


@pytest.mark.parametrize("pool", ["OmpLikePool(2)", "EigenLikePool(2)", "None"])
@pytest.mark.parametrize(("call", "bodies"), [
    ("parallel", "task,"), ("parallel_for", "spin,"), ("compiled", ""),
])
def test_ctrl_c_ends_a_region_of_compiled_bodies(pool, call, bodies):
    code = INTERRUPTED.format(pool=pool, call=call, bodies=bodies, steps=20_000_000)
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True,
                          text=True, timeout=100, check=False)
    assert done.stdout == "interrupted True\n", done.stderr
