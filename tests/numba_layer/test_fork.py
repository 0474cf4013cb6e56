"""A forked child runs loops: on pools, and on numba's own layer if that was not launched before."""

from __future__ import annotations

import os

import pytest

from threadpool_iface import UNSET, EigenLikePool, OmpLikePool, set_threadpool

from . import loops, processes


def _fork_and_check():
    pid = os.fork()
    if pid == 0:
        try:
            loops.check_all()
            os._exit(0)
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def _pools(way):
    processes.install(way)
    for make in OmpLikePool, EigenLikePool:
        set_threadpool(make(2))
        loops.check_all()
        _fork_and_check()
        loops.check_all()
    set_threadpool(None)
    _fork_and_check()


@pytest.mark.parametrize("way", processes.WAYS)
def test_a_child_runs_loops_on_pools(way):
    processes.run(_pools, way, NUMBA_THREADING_LAYER="omp")


def _own_layer(used):
    processes.install("layer")
    if used == "used":
        loops.check_all()
    else:
        set_threadpool(OmpLikePool(2))
        loops.check_all()
    set_threadpool(UNSET)
    _fork_and_check()


@pytest.mark.parametrize(("layer", "used"), [("omp", "not used"), ("workqueue", "used")])
def test_a_child_runs_loops_on_numbas_own_layer(layer, used):
    processes.run(_own_layer, used, NUMBA_THREADING_LAYER=layer)
