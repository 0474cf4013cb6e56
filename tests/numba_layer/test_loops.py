"""Loops of numba give what they should, whichever pool they run on and whichever way it came in."""

from __future__ import annotations

import pytest

from tests.threadpool_iface.pools_under_test import ALL
from threadpool_iface import parallel, set_threadpool, threadpool

from . import loops, processes


def _on_every_pool(way, schedule):
    processes.install(way, schedule=schedule)
    ufuncs = loops.make_ufuncs()
    for name, make in ALL.items():
        with make() as pool, threadpool(pool):
            before = pool.stats().regions
            loops.check_all()
            loops.check_ufuncs(*ufuncs)
            assert pool.stats().regions > before, name


@pytest.mark.parametrize(("way", "schedule"), [("layer", "dynamic"), ("overlay", "static")])
def test_every_loop_on_every_pool(way, schedule):
    processes.run(_on_every_pool, way, schedule, OMP_NUM_THREADS="3")


def _without_a_pool(way):
    processes.install(way)
    ufuncs = loops.make_ufuncs()
    for _ in "own layer", "sequential":
        loops.check_all()
        loops.check_ufuncs(*ufuncs)
        set_threadpool(None)


@pytest.mark.parametrize(("way", "layer"), [("layer", "workqueue"), ("overlay", "omp")])
def test_every_loop_without_a_pool(way, layer):
    processes.run(_without_a_pool, way, NUMBA_THREADING_LAYER=layer)


def _inside_a_region():
    processes.install("layer")
    with ALL["omp-2"]() as pool, threadpool(pool):
        loops.total(loops.VALUES)
        regions = pool.stats().regions
        parallel(2, lambda ithr, nthr: loops.check_all())
        assert pool.stats().regions == regions + 1


def test_inside_a_region_of_ours_loops_run_inline():
    processes.run(_inside_a_region)


def _sums_repeat():
    processes.install("layer", schedule="static")
    with ALL["eigen-2"]() as pool, threadpool(pool):
        assert len({loops.total(loops.VALUES) for _ in range(300)}) == 1


def test_a_static_schedule_gives_the_same_bits_every_time():
    processes.run(_sums_repeat)
