"""A pool in C, compiled here against the installed header, is as good as the library's own."""

from __future__ import annotations

import ctypes
import gc
import shlex
import subprocess
import sysconfig
from pathlib import Path

import pytest

from threadpool_iface import (
    ForeignPool,
    ThreadpoolError,
    UnsupportedError,
    barrier,
    get_include,
    get_max_threads,
    get_threadpool,
    parallel,
    set_threadpool,
    threadpool,
)
from threadpool_iface.native import address, ffi, lib
from threadpool_iface.testing import check_pool

SOURCE = Path(__file__).with_name("foreign_pool.c")


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    path = tmp_path_factory.mktemp("foreign") / "libforeign.so"
    compiler = shlex.split(sysconfig.get_config_var("CC") or "cc")
    subprocess.run([*compiler, "-std=c11", "-O2", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC",
                    "-pthread", f"-I{get_include()}", str(SOURCE), "-o", str(path)], check=True)
    made = ctypes.CDLL(str(path))
    for name in ("foreign_pool_new", "skipping_pool_new", "older_pool_new", "future_pool_new"):
        function = getattr(made, name)
        function.argtypes, function.restype = [ctypes.c_void_p, ctypes.c_int32], ctypes.c_void_p
    return made


def new(library, size=3, kind="foreign"):
    return getattr(library, f"{kind}_pool_new")(address("tpi_pool_new"), size)


def test_keeps_the_contract(library):
    check_pool(lambda: ForeignPool(new(library)))


def test_size_is_the_pools_own(library):
    with ForeignPool(new(library, 5)) as pool, threadpool(pool):
        assert pool.num_threads == get_max_threads() == 5
        assert repr(pool) == "<ForeignPool: 5 threads, idle>"


def test_dropping_it_closes_and_destroys_it(library):
    gc.collect()
    before = library.foreign_pools_alive()
    pool = ForeignPool(new(library))
    assert library.foreign_pools_alive() == before + 1
    del pool
    assert library.foreign_pools_alive() == before


def test_a_pool_that_skips_tasks_is_named(library):
    pool = ForeignPool(new(library, kind="skipping"))
    with threadpool(pool), pytest.raises(ThreadpoolError, match=r"ForeignPool.*every task"):
        parallel(2, lambda i, n: None)


def test_a_pool_of_another_abi_is_refused(library):
    assert new(library, kind="future") is None


def test_a_pool_that_c_made_active_is_seen_from_python_and_stays_cs(library):
    gc.collect()
    before = library.foreign_pools_alive()
    handle = ffi.cast("tpi_pool *", new(library, 4))
    assert lib.tpi_set_active(lib.TPI_POOL, handle) == 0
    pool = get_threadpool()
    assert isinstance(pool, ForeignPool)
    assert pool.handle == int(ffi.cast("uintptr_t", handle))
    assert get_threadpool() is pool
    with threadpool(None):
        assert get_threadpool() is None
    assert get_threadpool() is pool
    set_threadpool(None)
    del pool
    assert library.foreign_pools_alive() == before + 1
    lib.tpi_pool_release(handle)
    assert library.foreign_pools_alive() == before


@pytest.mark.parametrize(("handle", "error"), [(0, ValueError), (-8, ValueError),
                                               (None, TypeError), (True, TypeError)])
def test_what_cannot_be_an_address_is_refused(handle, error):
    with pytest.raises(error, match="handle"):
        ForeignPool(handle)


def test_only_the_cores_own_functions_have_addresses():
    with pytest.raises(ValueError, match="no function"):
        address("malloc")
    with pytest.raises(ValueError, match="no function"):
        address("tpi_nothing")


def test_an_older_table_lacks_gangs_and_keeps_the_contract(library):
    check_pool(lambda: ForeignPool(new(library, kind="older")))
    with ForeignPool(new(library, kind="older")) as pool:
        with pytest.raises(UnsupportedError, match="ForeignPool"):
            pool.run_together(2, lambda i, n: None)
        pool.run_together(1, lambda i, n: None)


def test_gangs_of_a_pool_that_has_them(library):
    with ForeignPool(new(library)) as pool:
        pool.run_together(3, lambda i, n: barrier())
        with pytest.raises(ZeroDivisionError):
            pool.run_together(2, lambda i, n: 1 // i)


def test_a_capsule_hands_a_pool_over_and_keeps_it_alive(library):
    gc.collect()
    before = library.foreign_pools_alive()
    pool = ForeignPool(new(library, 4))
    capsule = pool.capsule()
    assert "threadpool_iface.tpi_pool" in repr(capsule)
    del pool
    assert library.foreign_pools_alive() == before + 1
    again = ForeignPool(capsule)
    assert again.num_threads == 4
    del capsule
    again.parallel_for(3, lambda i, n: None)
    del again
    assert library.foreign_pools_alive() == before


def test_a_capsule_of_something_else_is_refused():
    import datetime

    with pytest.raises(TypeError, match=r"threadpool_iface\.tpi_pool"):
        ForeignPool(datetime.datetime_CAPI)
