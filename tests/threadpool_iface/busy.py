"""Threads that use two pools in every way there is, for tests of what happens beside them."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from threadpool_iface import (
    CPUPool,
    EigenLikePool,
    OmpLikePool,
    Task,
    ThreadpoolIface,
    barrier,
    parallel,
    parallel_for,
    set_default_threadpool,
    set_threadpool,
    threadpool,
)
from threadpool_iface.native import ffi, lib

from .pools_under_test import ThreadPerTask

Pools = dict[str, ThreadpoolIface]

#: A native task: it answers 0, whatever it is called with.
NATIVE = ffi.cast("tpi_task", ffi.addressof(lib, "tpi_thread_limit"))
#: A native task of a gang.
BARRIER = ffi.cast("tpi_task", ffi.addressof(lib, "tpi_barrier"))


def _regions(pool: ThreadpoolIface) -> None:
    pool.parallel_for(8, NATIVE)
    pool.parallel_for(3, lambda i, n: None)
    with suppress(ZeroDivisionError):
        pool.parallel_for(3, lambda i, n: 1 // 0)


def _schedules(pool: ThreadpoolIface) -> None:
    if isinstance(pool, EigenLikePool):
        pool.schedule(int).wait()
        for _ in range(3):
            pool.schedule(int)
        pool.schedule(NATIVE)
        pool.wait()


def _gangs(pool: ThreadpoolIface) -> None:
    pool.run_together(2, lambda i, n: barrier())
    pool.run_together(2, BARRIER)


def _blocks(pool: ThreadpoolIface) -> None:
    with threadpool(pool), threadpool(None), threadpool(pool):
        parallel(3, lambda i, n: None)
        parallel_for(100, lambda begin, end: None, schedule="dynamic")
    set_threadpool(pool)
    parallel(2, lambda i, n: None)


def _defaults(pool: ThreadpoolIface) -> None:
    set_default_threadpool(pool)
    parallel(2, lambda i, n: None)


def _pools_of_python(pool: ThreadpoolIface) -> None:
    with ThreadPerTask() as mine:
        mine.parallel_for(2, lambda i, n: None)


def _new_pools(pool: ThreadpoolIface) -> None:
    for kind in (OmpLikePool, EigenLikePool):
        with kind(2) as mine:
            mine.parallel_for(2, NATIVE)
        kind(2).parallel_for(2, NATIVE)  # closed where it is dropped


def _tasks_on_cores(pool: ThreadpoolIface) -> None:
    with Task(int, CPUPool([min(os.sched_getaffinity(0))])) as task:
        for _ in range(20):
            task().result()


BUSY = {function.__name__.strip("_").replace("_", " "): function
        for function in (_regions, _schedules, _gangs, _blocks, _defaults, _pools_of_python,
                         _new_pools, _tasks_on_cores)}


@contextmanager
def busy(names: list[str], pools: Pools) -> Iterator[list[threading.Thread]]:
    """A thread for each of these, which has begun, and goes on until the end of the block."""
    stop: list[int] = []
    begun = set()

    def work(name: str) -> None:
        while not stop:
            for pool in pools.values():
                BUSY[name](pool)
            begun.add(name)

    threads = [threading.Thread(target=work, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    while len(begun) < len(names):
        time.sleep(0.001)
    try:
        yield threads
    finally:
        stop.append(1)
        for thread in threads:
            thread.join()
