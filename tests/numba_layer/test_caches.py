"""Disk caches are numba's own: what it wrote we read, and the other way round."""

from __future__ import annotations

import numpy as np

from threadpool_iface import EigenLikePool, threadpool

from . import loops, processes


def _stock():
    _sum()


def _ours(way):
    processes.install(way)
    with EigenLikePool(2) as pool, threadpool(pool):
        _sum()
        assert pool.stats().regions == 1


def _sum():
    assert np.isclose(loops.total(loops.VALUES), loops.VALUES.sum())
    print("read" if loops.total.stats.cache_hits else "compiled")


def test_each_reads_what_the_other_wrote(tmp_path):
    written_by_us, written_by_numba = tmp_path / "ours", tmp_path / "numba"
    assert processes.run(_ours, "layer", NUMBA_CACHE_DIR=str(written_by_us)) == "compiled\n"
    assert processes.run(_stock, NUMBA_CACHE_DIR=str(written_by_us)) == "read\n"
    assert processes.run(_stock, NUMBA_CACHE_DIR=str(written_by_numba)) == "compiled\n"
    assert processes.run(_ours, "overlay", NUMBA_CACHE_DIR=str(written_by_numba)) == "read\n"
