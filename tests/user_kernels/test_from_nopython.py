"""The same functions called from compiled code, with and without the GIL."""

from __future__ import annotations

import subprocess
import sys
import threading

import numpy as np
import pytest
from numba import njit, objmode
from numba.core.errors import TypingError

from threadpool_iface import (
    EigenLikePool,
    OmpLikePool,
    parallel,
    parallel_for,
    parallel_nd,
    parallel_reduce,
    parallel_scan,
    set_threadpool,
    threadpool,
)

from .bodies import add, count_up, note_task, running_total, saxpy, total_of
from .some_pools import SOME

pytestmark = pytest.mark.filterwarnings("ignore::threadpool_iface.OversubscriptionWarning")


@njit
def mark(i, j, seen):
    seen[i, j] += 1


def every_call(n, seen, tasks, grid, x, out):
    parallel_for(n, count_up, seen)
    parallel_for(n, count_up, seen, grain=3)
    parallel_for(n, count_up, seen, schedule="dynamic", max_num_threads=2)
    parallel_for(n, count_up, seen, cost=100)
    parallel_for(n, count_up, seen, grain=None, schedule=None, max_num_threads=0)
    parallel(len(tasks), note_task, tasks)
    parallel_nd(grid.shape, mark, grid)
    total = parallel_reduce(n, total_of, 0.0, x, combine=add)
    return total + parallel_scan(n, running_total, 0.0, x, out, combine=add, grain=7)


CALLERS = {"holding the GIL": njit(every_call), "without the GIL": njit(nogil=True)(every_call)}


@pytest.mark.parametrize("caller", CALLERS)
@pytest.mark.parametrize("kind", SOME)
def test_every_call_from_compiled_code(caller, kind):
    n = 100
    seen, tasks, grid = np.zeros(n, np.int64), np.zeros(5, np.int64), np.zeros((4, 6), np.int64)
    x, out = np.arange(float(n)), np.zeros(n)
    with SOME[kind]() as made, threadpool(made):
        total = CALLERS[caller](n, seen, tasks, grid, x, out)
    assert (seen == 5).all()
    assert (tasks == 5).all()
    assert (grid == 1).all()
    assert (out == x.cumsum()).all()
    assert total == 2 * x.sum()


def test_the_gil_is_free_while_a_compiled_caller_waits():
    """The body needs the GIL on both threads, and a caller that kept it would wait for ever."""
    @njit
    def asks_python(begin, end, seen):
        for i in range(begin, end):
            with objmode():
                threading.current_thread()
            seen[i] += 1

    @njit
    def caller(seen):
        parallel_for(len(seen), asks_python, seen, grain=1, schedule="dynamic")

    seen = np.zeros(50, np.int64)
    with OmpLikePool(2) as made, threadpool(made):
        for _ in range(20):
            caller(seen)
    assert (seen == 20).all()


SUBINTERPRETER = """
import sys
import numpy as np
from numba import njit
from threadpool_iface import OmpLikePool, parallel_for, threadpool
if sys.version_info >= (3, 13):
    import _interpreters as interpreters
else:
    import _xxsubinterpreters as interpreters

@njit
def body(begin, end, y):
    y[begin:end] += 1

@njit
def holding_the_gil(y):
    parallel_for(len(y), body, y)

other = interpreters.create()
y = np.zeros(100)
with OmpLikePool(2) as pool, threadpool(pool):
    parallel_for(100, body, y)
    holding_the_gil(y)
interpreters.destroy(other)
print(y.sum())
"""


def test_who_holds_the_gil_is_known_beside_a_subinterpreter():
    done = subprocess.run([sys.executable, "-c", SUBINTERPRETER], capture_output=True, text=True,
                          check=False, timeout=100)
    assert done.stdout == "200.0\n", done.stderr


def test_threads_on_pools_of_their_own():
    @njit
    def caller(rounds, a, x, y):
        for _ in range(rounds):
            parallel_for(len(x), saxpy, a, x, y)

    x, results = np.arange(3000.0), {}

    def run(number):
        y = np.zeros(3000)
        with kinds[number % 2](2) as made:
            set_threadpool(made)
            caller(30, number, x, y)
            for _ in range(30):
                parallel_for(len(x), saxpy, number, x, y)
            set_threadpool(None)
        results[number] = y

    kinds = (OmpLikePool, EigenLikePool)
    threads = [threading.Thread(target=run, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all((results[i] == 60 * i * x).all() for i in range(4))


def test_regions_nest():
    @njit
    def row(begin, end, table):
        for i in range(begin, end):
            parallel_for(table.shape[1], count_up, table[i])

    @njit
    def caller(table):
        parallel_for(table.shape[0], row, table, grain=1, schedule="dynamic")

    table = np.zeros((20, 30), np.int64)
    with OmpLikePool(2) as made, threadpool(made):
        caller(table)
        assert made.stats().regions == 1
    assert (table == 1).all()


def test_a_function_defined_inside_the_caller_is_a_body():
    @njit
    def caller(n):
        def body(begin, end, out):
            out[begin:end] = 2

        out = np.zeros(n)
        parallel_for(n, body, out)
        return out.sum()

    with OmpLikePool(2) as made, threadpool(made):
        assert caller(100) == 200


def test_a_body_that_starts_a_region_of_itself_is_refused():
    @njit
    def body(begin, end, depth):
        if depth > 0:
            parallel_for(2, body, depth - 1)

    with pytest.raises(TypingError, match="body must not start a region of itself"):
        parallel_for(2, body, 3)


def test_a_body_may_be_recursive():
    @njit
    def fibonacci(n):
        return n if n < 2 else fibonacci(n - 1) + fibonacci(n - 2)

    @njit
    def body(begin, end, out):
        for i in range(begin, end):
            out[i] = fibonacci(i)

    out = np.zeros(8, np.int64)
    parallel_for(8, body, out)
    assert out.tolist() == [0, 1, 1, 2, 3, 5, 8, 13]


def test_a_body_may_be_an_argument_of_the_caller():
    @njit
    def caller(body, n, seen):
        parallel_for(n, body, seen)

    seen = np.zeros(10, np.int64)
    caller(count_up, 10, seen)
    assert (seen == 1).all()


def test_arguments_live_until_the_region_has_ended():
    """Temporaries made in the call itself are the caller's to keep."""
    @njit
    def caller(n, out):
        for _ in range(50):
            parallel_for(n, saxpy, 1.0, np.ones(n), out)

    out = np.zeros(5000)
    with EigenLikePool(2) as made, threadpool(made):
        caller(5000, out)
    assert (out == 50).all()


REFUSED_TYPES = {
    "n must be an integer, not float64": "parallel_for(1.5, count_up, seen)",
    "n must be an integer, not array": "parallel_for(seen, count_up, seen)",
    "body must be a function compiled with @njit, not": "parallel_for(3, 3, seen)",
    "grain must be an integer, not float64": "parallel_for(3, count_up, seen, grain=1.5)",
    'schedule must be "static", "dynamic" or None': "parallel_for(3, count_up, seen, schedule='x')",
    "max_num_threads must be an integer": "parallel_for(3, count_up, seen, max_num_threads='2')",
    "cost must be a number of cycles": "parallel_for(3, count_up, seen, cost='2')",
    "give a grain or a cost, not both": "parallel_for(3, count_up, seen, grain=1, cost=2)",
    "missing a required argument: 'body'": "parallel_for(3)",
    "nthr must be an integer": "parallel('3', note_task, seen)",
    "task must be a function compiled with @njit": "parallel(3, 4, seen)",
    "dims must be a tuple of 1 to 6 integers": "parallel_nd(3, count_up, seen)",
    "combine must be a function compiled": "parallel_reduce(3, total_of, 0.0, seen, combine=1)",
    "missing a required argument: 'combine'": "parallel_reduce(3, total_of, 0.0, seen)",
    "body must return the partial result": "parallel_reduce(3, saxpy, 0., seen, seen, combine=add)",
    "total must be a function compiled":
        "parallel_scan(3, total_of, 0.0, seen, combine=add, total=1)",
}


@pytest.mark.parametrize("message", REFUSED_TYPES)
def test_wrong_types_are_refused_when_the_caller_is_compiled(message):
    scope = {}
    exec(f"def caller(seen): {REFUSED_TYPES[message]}", globals(), scope)
    with pytest.raises(TypingError) as caught:
        njit(scope["caller"])(np.zeros(3))
    assert message in str(caught.value)


@njit
def numbers(call, n, grain, most, seen):
    if call == 0:
        parallel_for(n, count_up, seen, grain=grain, max_num_threads=most)
    elif call == 1:
        parallel(n, note_task, seen)
    elif call == 2:
        parallel_nd((2, n), mark, seen.reshape(1, len(seen)))
    elif call == 3:
        parallel_reduce(n, total_of, 0.0, seen, combine=add, grain=grain)


@pytest.mark.parametrize(("args", "message"), [
    ((0, -1, 1, 1), "n must be at least 0, not -1"),
    ((0, 1, 0, 1), "grain must be at least 1, not 0"),
    ((0, 1, 1, -3), "max_num_threads must be at least 0, not -3"),
    ((1, -1, 1, 1), "nthr must be in 0..2147483647, not -1"),
    ((1, 2**31, 1, 1), "nthr must be in 0..2147483647, not 2147483648"),
    ((2, -1, 1, 1), "dims must be integers of at least 0"),
    ((2, 2**62, 1, 1), "dims must have a product below"),
    ((3, -1, 1, 1), "n must be at least 0"),
    ((3, 1, -1, 1), "grain must be at least 1"),
])
def test_values_outside_their_domain_are_refused_at_run_time(args, message):
    with pytest.raises(ValueError, match=message):
        numbers(*args, np.zeros(3))
