"""Calibration and search: they change splits, never results, and survive bad files."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest

from kernels import (
    BatchNorm,
    Binary,
    Conv2d,
    Eltwise,
    Matmul,
    Pool2d,
    Reorder,
    Softmax,
    cache_clear,
    calibration,
    costs,
    tuning,
)
from threadpool_iface import Decomposition, OmpLikePool, PrimitiveAttr, threadpool, user_files

SEARCH = PrimitiveAttr(max_num_threads=2, tuning="search")


@pytest.fixture(autouse=True)
def _own_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("THREADPOOL_IFACE_CACHE_DIR", str(tmp_path / "files"))
    costs.stored.cache_clear()
    cache_clear()
    yield
    costs.stored.cache_clear()
    cache_clear()


def kept():
    return user_files.read_json(tuning.FILE)


IMAGE = (1, 8, 12, 40)
MAKERS = {
    "matmul": lambda attr: Matmul((70, 200), (200, 150), bias=True, attr=attr),
    "convolution": lambda attr: Conv2d((1, 20, 20, 64), (64, 64, 1, 1), layout="nhwc", bias=True,
                                       attr=attr),
    "winograd": lambda attr: Conv2d((1, 20, 20, 64), (64, 64, 3, 3), layout="nhwc", attr=attr),
    "pooling": lambda attr: Pool2d((4, 20, 20, 64), 3, layout="nhwc", attr=attr),
    "eltwise": lambda attr: Eltwise((100, 1000), ("relu",), attr=attr),
    "binary": lambda attr: Binary("add", (100, 1000), (1000,), attr=attr),
    "softmax": lambda attr: Softmax((100, 1000), attr=attr),
    "reorder": lambda attr: Reorder((1, 64, 30, 30), "nchw", "nhwc", attr=attr),
    "batch norm": lambda attr: BatchNorm((1, 64, 30, 30), attr=attr),
}


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_a_search_takes_a_candidate_and_remembers_it(make, monkeypatch):
    with OmpLikePool(2) as pool, threadpool(pool):
        model = make(PrimitiveAttr(max_num_threads=2)).decomposition
        found = make(SEARCH).decomposition
        assert found.grid in [grid for grid, _ in model.predictions]
        assert "found by search" in found.reason
        assert list(kept().values()) == [list(found.grid)]
        cache_clear()
        monkeypatch.setattr(tuning, "_race", lambda calls: pytest.fail("timed again"))
        again = make(SEARCH).decomposition
        assert again.grid == found.grid
        assert "an earlier search" in again.reason


def test_the_fastest_candidate_wins_and_noise_does_not(monkeypatch):
    model = Decomposition(("m", "n"), (2, 1), (8, 8), (6, 64), "model",
                          (((2, 1), 1.0), ((1, 2), 1.1), ((1, 1), 1.9)))
    times = {(2, 1): 1.0, (1, 2): 0.98, (1, 1): 0.5}
    monkeypatch.setattr(tuning, "_race", lambda grids: [times[grid] for grid in grids])
    assert tuning.search("a", model, lambda d: d.grid).grid == (1, 1)
    times[1, 1] = 1.9
    assert tuning.search("b", model, lambda d: d.grid).grid == (2, 1)
    assert kept() == {"a": [1, 1], "b": [2, 1]}


def test_searched_and_calibrated_splits_give_the_same_bits():
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((70, 500), np.float32), rng.standard_normal((500, 90), np.float32)
    with OmpLikePool(2) as pool, threadpool(pool):
        plain = Matmul(a.shape, b.shape)(a, b)
        searched = Matmul(a.shape, b.shape, attr=SEARCH)(a, b)
        with costs.using(costs.Costs(1e6, 1e6, 1e-9)):
            calibrated = Matmul(a.shape, b.shape, attr=PrimitiveAttr(max_num_threads=5))(a, b)
    assert plain.tobytes() == searched.tobytes() == calibrated.tobytes()


def test_without_a_pool_there_is_nothing_to_search():
    with threadpool(None):
        mm = Matmul((70, 200), (200, 150), attr=SEARCH)
    assert kept() == {}
    assert "search" not in mm.decomposition.reason


@pytest.mark.parametrize("content", ["", "no json", "[1, 2]", '{"matmul": 5}'])
def test_a_damaged_file_is_ignored_and_replaced(content):
    folder = user_files.folder()
    folder.mkdir(parents=True)
    (folder / tuning.FILE).write_text(content)
    with OmpLikePool(2) as pool, threadpool(pool), warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        assert Matmul((70, 200), (200, 150), attr=SEARCH).decomposition.tasks <= 2
    assert bool(warned) is not content.startswith("{")
    assert any(isinstance(grid, list) for grid in json.loads(
        (folder / tuning.FILE).read_text()).values())


def test_a_folder_that_others_can_write_is_not_used():
    folder = user_files.folder()
    folder.mkdir(parents=True)
    (folder / costs.FILE).write_text("{}")
    folder.chmod(0o777)
    with pytest.warns(RuntimeWarning, match="writable by others"):
        assert user_files.read_json(costs.FILE) == {}
    with pytest.raises(PermissionError, match="THREADPOOL_IFACE_CACHE_DIR"):
        user_files.write_json(costs.FILE, {})


def test_a_calibration_is_measured_stored_and_used():
    steps = []
    measured = calibration.measure(steps.append)
    assert "arithmetic" in steps
    stored = costs.checked(measured["costs"])
    path = calibration.store(measured)
    assert json.loads(Path(path).read_text()) == measured == calibration.stored()
    assert costs.machine() == stored
    assert stored.flops_per_second > stored.bytes_per_second > 1e8
    assert 0 < stored.region_seconds < 1
    assert list(measured["copy_bytes_per_second"]) == ["L2", "L3", "memory"]
    assert all(size > 1024 for size in measured["caches"].values())


def test_a_machine_that_hides_its_caches_is_calibrated_by_usual_ones(monkeypatch):
    monkeypatch.setattr(calibration, "_caches", dict)
    sets = calibration._working_sets(calibration._caches())
    assert sets == {"L2": 2**19, "L3": 2**24, "memory": 2**28}
    assert calibration._working_sets({"L2": 2**21, "L3": 2**27})["memory"] == 2**30


@pytest.mark.parametrize("change", [
    {"machine": {"cpu": "another", "isa": "avx9"}}, {"costs": {}}, {"costs": None},
    {"costs": {"flops_per_second": -1, "bytes_per_second": 1, "region_seconds": 1}},
])
def test_a_calibration_that_is_not_of_this_machine_is_not_used(change):
    data = {"machine": costs.identity(), "costs": costs.Costs(1.0, 2.0, 3.0)._asdict()}
    user_files.write_json(costs.FILE, {**data, **change})
    if "machine" in change:
        assert costs.machine() == costs.DEFAULT
    else:
        with pytest.warns(RuntimeWarning, match="calibration is ignored"):
            assert costs.machine() == costs.DEFAULT


def test_a_search_that_cannot_be_kept_still_works(tmp_path, monkeypatch):
    file = tmp_path / "a file"
    file.touch()
    monkeypatch.setenv("THREADPOOL_IFACE_CACHE_DIR", str(file / "below"))
    with OmpLikePool(2) as pool, threadpool(pool), pytest.warns(RuntimeWarning):
        assert Matmul((70, 200), (200, 150), attr=SEARCH).decomposition.tasks <= 2


def test_the_attribute_is_checked():
    with pytest.raises(ValueError, match='tuning must be "model" or "search", not \'best\''):
        PrimitiveAttr(tuning="best")
    with pytest.raises(TypeError, match="tuning must be"):
        PrimitiveAttr(tuning=1)
    with pytest.raises(ValueError, match="does not go with decomposition='execution'"):
        PrimitiveAttr(tuning="search", decomposition="execution")


def test_the_default_folder_follows_xdg():
    environment = {k: v for k, v in os.environ.items() if k != "THREADPOOL_IFACE_CACHE_DIR"}
    command = [sys.executable, "-c",
               "from threadpool_iface import user_files; print(user_files.folder())"]
    shown = subprocess.run(command, env={**environment, "XDG_CACHE_HOME": "/x"}, check=True,
                           capture_output=True, text=True).stdout
    assert shown == "/x/threadpool-iface\n"


def test_a_user_without_a_home_is_asked_for_a_folder(monkeypatch):
    def homeless():
        raise RuntimeError("Could not determine home directory.")

    for name in ("THREADPOOL_IFACE_CACHE_DIR", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(Path, "home", homeless)
    assert user_files.read_json(costs.FILE) == {}
    with pytest.raises(FileNotFoundError, match="set THREADPOOL_IFACE_CACHE_DIR"):
        user_files.write_json(costs.FILE, {})
    assert Matmul((7, 20), (20, 15)).decomposition.tasks == 1


def test_the_command_measures_keeps_and_shows(capsys):
    from threadpool_iface.cli.__main__ import main

    assert main(["calibrate", "--show"]) == 1
    assert "has not been calibrated" in capsys.readouterr().err
    assert main(["calibrate"]) == 0
    printed = capsys.readouterr()
    assert "measuring arithmetic" in printed.err
    assert "GFLOP/s" in printed.out
    assert str(user_files.folder()) in printed.out
    assert main(["calibrate", "--show", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == calibration.stored()
    user_files.folder().chmod(0o777)
    assert main(["calibrate"]) == 1
    assert "writable by others" in capsys.readouterr().err
