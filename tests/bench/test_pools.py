"""`python -m bench.pools`, and chains of layers."""

from __future__ import annotations

import json

import numpy as np
import pytest

from bench import pools
from bench.cases import Case
from bench.contenders.contender import Contender, Prepared
from bench.shapes import network
from bench.turns import Measurement


def test_an_experiment_prints_its_table_and_writes_its_figures(tmp_path, capsys):
    assert pools.main(["--quick", "--experiments", "two-pools", "--output", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    assert "two OmpLikePools" in printed
    figures = json.loads((tmp_path / "pools.json").read_text())["benchmarks"]
    assert len(figures) == 2 * len(pools.PAIRS)
    assert all(figure["stats"]["median"] > 0 for figure in figures)


def test_an_unknown_experiment_is_named(capsys):
    with pytest.raises(SystemExit) as ended:
        pools.main(["--experiments", "latency,speed"])
    assert ended.value.code == 2
    assert "no experiment speed; there are latency, " in capsys.readouterr().err


def test_a_chain_times_every_layer_of_a_network():
    ran = []

    class Fake(Contender):
        def conv(self, case):
            return Prepared(lambda: ran.append(case.shape))

    seconds = Fake().chain(Case("chain", body="GoogLeNet v1")).call(3)
    layers = [layer for layer in network("GoogLeNet v1") for _ in range(layer.count)]
    assert seconds.shape == (3, len(layers))
    assert ran == 3 * layers
    measured = Measurement("fake", Case("chain"))
    measured.add(np.array([[1.0, 2.0], [3.0, 4.0], [1.0, 9.0]]))
    assert measured.blocks == [7.0]
    assert measured.layers[0].tolist() == [1.0, 4.0]
