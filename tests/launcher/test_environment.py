"""The variables of an instance: set where the user has not."""

from __future__ import annotations

import pytest

from threadpool_iface.launcher import allocators
from threadpool_iface.launcher.environment import Settings, kept, variables
from threadpool_iface.launcher.plan import Instance

INSTANCE = Instance(1, (4, 5, 6), (0,))


def test_an_instance_has_a_thread_for_each_core_and_knows_its_place():
    found = variables(INSTANCE, 2, Settings(), {})
    for name in ("OMP", "OPENBLAS", "MKL", "NUMBA"):
        assert found[f"{name}_NUM_THREADS"] == "3"
    assert found["THREADPOOL_IFACE_POOL"] == "omp"
    assert (found["THREADPOOL_IFACE_INSTANCE"], found["THREADPOOL_IFACE_INSTANCES"]) == ("1", "2")


@pytest.mark.parametrize("name", ["OMP_NUM_THREADS", "KMP_BLOCKTIME", "THREADPOOL_IFACE_POOL"])
def test_a_variable_of_the_user_stays_and_is_said(name):
    given = {name: "7", "HOME": "/"}
    assert name not in variables(INSTANCE, 2, Settings(), given)
    assert kept(Settings(), given) == [f"{name}=7"]


def test_the_other_variable_that_chooses_a_pool_is_the_users_choice_too():
    found = variables(INSTANCE, 2, Settings(), {"ITEX_OMP_THREADPOOL": "0"})
    assert "THREADPOOL_IFACE_POOL" not in found


def test_an_option_wins_over_a_variable():
    given = {"THREADPOOL_IFACE_POOL": "omp"}
    assert variables(INSTANCE, 2, Settings(pool="eigen"), given)["THREADPOOL_IFACE_POOL"] == "eigen"
    assert kept(Settings(pool="eigen"), given) == []


def test_an_allocator_is_preloaded_before_what_the_user_preloads():
    given = {"LD_PRELOAD": "mine.so"}
    assert variables(INSTANCE, 2, Settings(preload="a.so"), given)["LD_PRELOAD"] == "a.so:mine.so"
    assert "LD_PRELOAD" not in variables(INSTANCE, 2, Settings(), given)


def test_the_openmp_layer_is_preloaded_behind_an_allocator():
    found = variables(INSTANCE, 2, Settings(preload="a.so", openmp="g.so"), {"LD_PRELOAD": "m.so"})
    assert found["LD_PRELOAD"] == "a.so:g.so:m.so"
    assert found["THREADPOOL_IFACE_OPENMP"] == "preload"
    assert "THREADPOOL_IFACE_OPENMP" not in variables(INSTANCE, 2, Settings(), {})


def test_an_allocator_is_found_where_the_loader_looks(monkeypatch, tmp_path):
    (tmp_path / "libjemalloc.so.2").touch()
    (tmp_path / "libtcmalloc_minimal.so.4").touch()
    monkeypatch.setenv("LD_LIBRARY_PATH", str(tmp_path))
    assert allocators.library("jemalloc") == str(tmp_path / "libjemalloc.so.2")
    assert allocators.library("tcmalloc").startswith(str(tmp_path))
    assert allocators.library("default") == ""


def test_an_allocator_that_is_not_installed_is_refused_with_its_package(monkeypatch):
    monkeypatch.setattr(allocators, "_folders", lambda: iter(()))
    with pytest.raises(ValueError, match=r"jemalloc.*is not installed \(Debian.*libjemalloc2\)"):
        allocators.library("jemalloc")
