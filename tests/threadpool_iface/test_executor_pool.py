"""ExecutorPool over whatever runs things in threads. The conformance test runs it too."""

from __future__ import annotations

import sys
import threading
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor

import pytest

from threadpool_iface import ExecutorPool, parallel, set_threadpool, threadpool
from threadpool_iface.testing import check_pool


class ThreadPerCall(Executor):
    """An executor that is not the standard library's, and does not tell how many workers it has."""

    def submit(self, fn, /, *args, **kwargs):
        future = Future()

        def run():
            if future.set_running_or_notify_cancel():
                try:
                    future.set_result(fn(*args, **kwargs))
                except BaseException as error:
                    future.set_exception(error)

        threading.Thread(target=run).start()
        return future


class Subclass(ThreadPoolExecutor):
    pass


@pytest.mark.parametrize("make", [lambda: ExecutorPool(ThreadPerCall(), 3),
                                  lambda: ExecutorPool(Subclass(2))])
def test_other_executors_keep_the_contract(make):
    check_pool(make)


def test_the_size_counts_the_caller():
    with ThreadPoolExecutor(3) as executor:
        assert ExecutorPool(executor).num_threads == 4
        assert ExecutorPool(executor, 2).num_threads == 2
        assert repr(ExecutorPool(executor)) == "<ExecutorPool: 4 threads, ThreadPoolExecutor, idle>"


def test_closing_leaves_the_executor_open():
    with ThreadPoolExecutor(1) as executor:
        with ExecutorPool(executor) as pool:
            pool.parallel_for(3, lambda i, n: None)
        assert executor.submit(int, "7").result() == 7


def test_tasks_run_on_the_executors_threads():
    with ThreadPoolExecutor(1) as executor, ExecutorPool(executor) as pool:
        meeting, seen = threading.Barrier(2), set()

        def task(i, n):
            meeting.wait(timeout=20)
            seen.add(threading.current_thread())

        pool.parallel_for(2, task)
        assert seen == {threading.current_thread(), *executor._threads}


def test_a_region_from_one_of_its_own_workers_runs_inline():
    with ThreadPoolExecutor(1) as executor, ExecutorPool(executor) as pool:

        def region():
            seen = []
            set_threadpool(pool)
            parallel(5, lambda i, n: seen.append((i, threading.get_ident())))
            return seen, threading.get_ident()

        for _ in range(2):
            seen, worker = executor.submit(region).result(timeout=20)
            assert seen == [(i, worker) for i in range(5)]


def test_a_busy_executor_does_not_hold_up_a_region():
    with ThreadPoolExecutor(1) as executor, ExecutorPool(executor) as pool:
        go, seen = threading.Event(), []
        executor.submit(go.wait, 20)
        with threadpool(pool):
            parallel(4, lambda i, n: seen.append(i))
        assert seen == [0, 1, 2, 3]
        go.set()


def test_executors_of_other_processes_are_refused():
    with ProcessPoolExecutor(1) as executor, pytest.raises(TypeError, match="ProcessPoolExecutor"):
        ExecutorPool(executor)


if sys.version_info >= (3, 14):

    def test_executors_of_other_interpreters_are_refused():
        from concurrent.futures import InterpreterPoolExecutor

        with InterpreterPoolExecutor(1) as executor, pytest.raises(TypeError, match="Interpreter"):
            ExecutorPool(executor)


def test_a_shut_down_executor_says_so_and_the_pool_loses_nothing():
    executor = ThreadPoolExecutor(1)
    pool = ExecutorPool(executor)
    executor.shutdown()
    with pytest.raises(RuntimeError, match="after shutdown"):
        pool.parallel_for(3, lambda i, n: None)
    pool.close()


@pytest.mark.parametrize(("arguments", "error", "words"), [
    ((3,), TypeError, "executor"), ((ThreadPoolExecutor,), TypeError, "executor"),
    ((ThreadPoolExecutor(1), 0), ValueError, "num_threads"),
    ((ThreadPerCall(),), ValueError, "num_threads must be given"),
])
def test_wrong_arguments_are_named(arguments, error, words):
    with pytest.raises(error, match=words):
        ExecutorPool(*arguments)
