"""Several Python threads run loops at once."""

from __future__ import annotations

import threading
from contextlib import nullcontext

import numba
import pytest

from threadpool_iface import EigenLikePool, OmpLikePool, threadpool

from . import loops, processes

CALLERS = 4


def _all_at_once(*pools):
    """Run every loop at once, the i-th thread on the i-th pool; None: on numba's own layer."""
    failures = []
    start = threading.Barrier(len(pools))

    def call(pool):
        try:
            start.wait()
            with nullcontext() if pool is None else threadpool(pool):
                for _ in range(5):
                    loops.check_all()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=call, args=(pool,)) for pool in pools]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]


def _callers(way):
    processes.install(way)
    loops.check_all()
    for make in OmpLikePool, EigenLikePool:
        with make(2) as shared:
            _all_at_once(*[shared] * CALLERS)
        pools = [make(2) for _ in range(CALLERS)]
        _all_at_once(*pools)
        assert all(pool.stats().regions for pool in pools)


@pytest.mark.parametrize("way", processes.WAYS)
def test_several_callers_on_one_pool_and_each_on_its_own(way):
    processes.run(_callers, way)


def _callers_of_workqueue():
    processes.install("layer")
    _all_at_once(*[None] * CALLERS)
    with OmpLikePool(2) as pool:
        _all_at_once(None, pool, None, pool)
    assert numba.threading_layer() == "workqueue"


def test_callers_of_numbas_workqueue_wait_for_each_other_instead_of_ending_the_process():
    processes.run(_callers_of_workqueue, NUMBA_THREADING_LAYER="workqueue")
