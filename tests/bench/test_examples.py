"""`python -m bench.examples`."""

from __future__ import annotations

import os
import signal

from bench import examples
from bench.cases import Case
from bench.pool_targets import Row
from bench.turns import Table


def test_it_prints_times_and_whether_the_limits_are_met(capsys, monkeypatch):
    layers = ["numba on omp", "numba on eigen", "numba omp"]
    monkeypatch.setattr(examples, "present", lambda: layers)
    monkeypatch.setattr(examples, "CASES", {
        "a loop": (Case("heat"), examples.Wanted(0.0, of_speed=True)),
        "a call": (Case("even_loop", idle="hot"), examples.Wanted(0.0, of_speed=False))})
    assert examples.main(["--quick"]) == 0
    printed = capsys.readouterr().out
    assert "numba omp" in printed
    assert printed.count("met") == 2
    assert printed.count("missed") == 2


def test_layers_that_die_are_left_out(monkeypatch):
    class Dies(Table):
        def measure(self, jobs, blocks, seconds):
            for player in self.players.values():
                if player.name == "numba workqueue":
                    os.kill(player._process.pid, signal.SIGKILL)
            return super().measure(jobs, blocks, seconds)

    monkeypatch.setattr(examples, "Table", Dies)
    alive = examples.survivors(["numba workqueue", "numba on eigen"], Case("clients", tasks=2))
    assert alive == ["numba on eigen"]


def test_speed_is_over_the_best_and_time_of_it():
    assert examples.IRREGULAR.row("x", 2.0, 3.0) == Row("x, speed", 1.3, 1.5, at_most=False)
    assert examples.IDLE.row("x", 2.0, 4.0) == Row("x, time", 0.5, 0.5)
