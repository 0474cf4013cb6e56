"""`python -m bench.compare`: what counts as worse."""

from __future__ import annotations

import json

import pytest

from bench.compare import changes, main
from bench.outputs import previous


def test_drift_of_the_machine_is_no_change():
    before = {"gemm: a": {"omp": 1.0, "numpy": 2.0, "torch": 4.0}}
    after = {"gemm: a": {"omp": 3.0, "numpy": 6.0, "torch": 12.0}}
    (change,) = changes(before, after)
    assert (change.growth, change.against) == (1.0, "numpy")


def test_without_a_peer_the_time_counts():
    (change,) = changes({"p": {"omp": 1.0}}, {"p": {"omp": 1.5}, "q": {"omp": 1.0}})
    assert (change.growth, change.against) == (1.5, "")


def written(path, seconds):
    path.write_text(json.dumps({"benchmarks": [
        {"group": "gemm: a", "params": {"contender": name}, "stats": {"median": value}}
        for name, value in seconds.items()]}))
    return str(path)


def test_a_worse_figure_is_named_and_the_exit_status_says_so(tmp_path, capsys):
    before = written(tmp_path / "a.json", {"omp": 1.0, "eigen": 1.0, "numpy": 2.0})
    after = written(tmp_path / "b.json", {"omp": 1.3, "eigen": 1.1, "numpy": 2.0})
    assert main([before, after]) == 1
    assert capsys.readouterr().out.splitlines() == [
        " 1.30x  0.5 -> 0.65 of numpy's time  gemm: a, omp",
        "1 of 2 figures grew by more than 15%"]
    assert main([before, after, "--tolerance", "0.5"]) == 0
    assert main([before, before]) == 0


def test_a_file_of_something_else_is_refused(tmp_path):
    (tmp_path / "a.json").write_text("[]")
    with pytest.raises(SystemExit, match=r"a\.json is not a file that python -m bench wrote"):
        main([str(tmp_path / "a.json"), str(tmp_path / "a.json")])


def test_the_run_before_is_kept(tmp_path):
    from bench.outputs import write_json

    path = tmp_path / "benchmark.json"
    write_json(path, [])
    first = path.read_text()
    write_json(path, [])
    assert previous(path).read_text() == first
