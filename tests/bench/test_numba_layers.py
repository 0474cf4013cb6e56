"""`python -m bench.numba_layers`."""

from __future__ import annotations

from bench import numba_layers
from bench.cases import Case


def test_it_prints_a_column_for_each_layer(capsys, monkeypatch):
    monkeypatch.setattr(numba_layers, "LAYERS", ("numba on omp", "numba omp", "numba tbb"))
    monkeypatch.setattr(numba_layers, "CASES", {
        "a loop": Case("even_loop", idle="slept"), "a triangle": Case("skewed", microseconds=50)})
    assert numba_layers.main(["--quick"]) == 0
    printed = capsys.readouterr().out
    assert "OmpLikePool" in printed
    assert "numba omp" in printed
    assert "a triangle" in printed
