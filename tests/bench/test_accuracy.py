"""bench.accuracy on its quick sizes: what it prints and writes."""

from __future__ import annotations

import json

import pytest

from bench import accuracy


def test_the_quick_form_measures_every_kernel(tmp_path, capsys):
    pytest.importorskip("torch")
    assert accuracy.main(["--quick", "--output", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    assert all(kernel in printed for kernel in (*accuracy.KERNELS, *accuracy.WINOGRAD))
    found = json.loads((tmp_path / "accuracy.json").read_text())
    assert len(found["sums"]) == 2 * len(accuracy.KERNELS) * len(accuracy.QUICK_K)
    assert all(0 <= e["ours"] < 2e-6 for e in [*found["sums"], *found["winograd"]])


def test_two_exact_results_are_equally_good():
    assert accuracy.Errors("", "", 1, 0.0, 0.0).ratio == 1
    assert accuracy.Errors("", "", 1, 1e-8, 0.0).ratio == float("inf")
