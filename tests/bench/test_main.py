"""`python -m bench`: wrong arguments, a small run, and that its JSON is pytest-benchmark's."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from time import monotonic, sleep

import numpy as np
import pytest

from bench.__main__ import main
from bench.cases import Case
from bench.console import note_missing, wide_console
from bench.outputs import draw, write_json
from bench.sections import BOUNDS, Group
from bench.shapes import gemms
from bench.shapes.benchdnn import parse_shape
from bench.tables import duration, totals, winner
from bench.turns import ContenderError, Measurement, Table, _must_agree

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(("arguments", "message"), [
    (["--sections", "gem"], "no section 'gem'"), (["--threads", "0"], "1..4096"),
    (["--contenders", "mkl"], "no contender 'mkl'"), (["--sections", ""], "no section"),
    (["--what"], "unrecognized arguments"),
])
def test_wrong_arguments_exit_with_2_and_say_why(arguments, message, capsys):
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert message in capsys.readouterr().err


def test_what_is_missing_is_named_with_what_installs_it(monkeypatch, capsys):
    monkeypatch.setattr("bench.console.missing", lambda name: ["torch"] if name == "torch" else [])
    note_missing(wide_console(), ["numpy", "torch"])
    line, = capsys.readouterr().out.splitlines()
    assert "torch (pip install '.[peers]' brings" in line


def test_unreadable_shapes_exit_with_2(tmp_path, capsys):
    assert main(["--shapes", str(tmp_path / "none")]) == 2
    (tmp_path / "bad").write_text("ic3\n")
    assert main(["--shapes", str(tmp_path / "bad")]) == 2
    assert "line 1" in capsys.readouterr().err


@pytest.mark.parametrize("line", ["ic8ih4kh2sh2", "2x8x8:2x8x8"])
def test_shapes_that_no_section_measures_exit_with_2(line, tmp_path, capsys):
    (tmp_path / "other").write_text(f"8x8:8x8\n{line}\n")
    assert main(["--shapes", str(tmp_path / "other")]) == 2
    assert "no section measures" in capsys.readouterr().err


def test_nothing_to_do_exits_with_2(capsys):
    assert main(["--sections", "latency", "--contenders", "numpy"]) == 2
    assert "takes part" in capsys.readouterr().err


def test_a_small_run_prints_tables_and_writes_json_and_picture(tmp_path):
    shapes = tmp_path / "mine"
    shapes.write_text('mb1ic16ih8oc16kh3ph1n"tiny*2"\n20x30:30x40\n')
    done = subprocess.run(
        [sys.executable, "-m", "bench", "--quick", "--shapes", str(shapes), "--output",
         str(tmp_path / "out"), "--contenders", "sequential,omp,eigen,numpy"],
        cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    for part in ("OmpLikePool", "EigenLikePool", "NumPy/OpenBLAS", "tiny x2", "20x40x30", "best",
                 "at execution", "given shapes"):
        assert part in done.stdout, done.stdout
    names = {b["name"] for b in json.loads((tmp_path / "out/benchmark.json").read_text())[
        "benchmarks"]}
    assert "gemm[20x40x30-numpy]" in names
    assert (tmp_path / "out/benchmark.png").read_bytes().startswith(b"\x89PNG")
    compared = subprocess.run(
        [sys.executable, "-m", "pytest_benchmark", "compare",
         str(tmp_path / "out/benchmark.json")],
        capture_output=True, text=True, timeout=120, check=False,
        env={**os.environ, "COLUMNS": "300"}, cwd=tmp_path)
    assert compared.returncode == 0, compared.stderr
    assert "20x40x30" in compared.stdout


def _group(section, network="", bound=None, times=None, count=1):
    times = times or {"omp": 1.0, "eigen": 2.0}
    shape = parse_shape("mb1ic1ih4oc1kh1") if section != "gemm" else gemms()[0]
    case = Case("conv" if section == "decomposition" else section, shape, bound=bound)
    return Group(section, network, "layer", count, 100, [],
                 [Measurement(name, case, [t]) for name, t in times.items()])


def test_totals_count_layers_and_leave_out_whoever_missed_one():
    groups = [_group("conv", "net", times={"omp": 1.0, "eigen": 2.0}, count=3),
              _group("conv", "net", times={"omp": 10.0})]
    assert totals(groups) == {"net": {"omp": 13.0}}


def test_the_sentence_names_winner_and_ties():
    assert "OmpLikePool wins" in winner("gemm", [_group("gemm")], 2)
    tied = winner("gemm", [_group("gemm", times={"omp": 1.0, "eigen": 1.05})], 2)
    assert "OmpLikePool ties with EigenLikePool" in tied


def test_matching_is_relative_to_layers_created_for_the_threads():
    groups = [_group("decomposition", "net")]
    groups[0].measurements = [Measurement("omp", Case("conv", bound=b), [2.0 if b == 1 else 1.0])
                              for b in BOUNDS]
    assert "for 1: 2.00x, for 4: 1.00x" in winner("decomposition", groups, 2)


@pytest.mark.parametrize(("seconds", "text"), [(2.5, "2.5 s"), (0.0123, "12.3 ms"),
                                               (4.56e-6, "4.56 us"), (2e-8, "20 ns")])
def test_durations_have_units(seconds, text):
    assert duration(seconds) == text


def test_contenders_that_disagree_are_an_error():
    ones = np.ones(4)
    _must_agree({"a": ones, "b": ones + 1e-6}, Case("gemm"))
    for other in (ones + 0.1, ones * np.nan):
        with pytest.raises(ContenderError, match="b and a differ"):
            _must_agree({"a": ones, "b": other}, Case("gemm"))


def test_a_contender_that_fails_or_dies_is_an_error_and_leaves_no_process():
    with Table(["numpy"], 1) as table:
        player = table.players["numpy"]
        with pytest.raises(ContenderError, match="KeyError"):
            player.ask("turn", ["none"])
        player._process.kill()
        with pytest.raises(ContenderError, match="died"):
            player.ask("forget")
    assert player._process.poll() is not None


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_contenders_end_with_a_run_that_is_killed():
    code = ("from bench.turns import Table\ntable = Table(['numpy'], 1)\n"
            "print(table.players['numpy']._process.pid, flush=True)\ninput()")
    with subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, text=True) as run:
        contender = int(run.stdout.readline())
        assert _alive(contender)
        run.kill()
        run.wait()
    end = monotonic() + 60
    while _alive(contender):
        assert monotonic() < end
        sleep(0.05)


def test_outputs_of_one_group(tmp_path):
    write_json(tmp_path / "x.json", [_group("gemm")])
    (entry, _) = json.loads((tmp_path / "x.json").read_text())["benchmarks"]
    assert entry["stats"]["median"] == 1.0
    draw(tmp_path / "x.png", [_group("gemm")], 2)
    assert (tmp_path / "x.png").stat().st_size > 1000
