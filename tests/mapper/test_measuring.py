"""Programs run as instances on their cores, in turns; and nothing of them stays."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from math import inf
from time import monotonic

import pytest

from threadpool_iface import CPUPool
from threadpool_iface.cli.__main__ import main
from threadpool_iface.runtime.mapper import Configuration, measure
from threadpool_iface.runtime.mapper.instances import InstanceError, run_instances
from threadpool_iface.topology import allowed_cpus

ALL = CPUPool()
ONE = CPUPool(allowed_cpus()[:1])
LIMIT = 60
#: Starts a child, writes both numbers, and stays.
STAYS = """
import subprocess, sys, os, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
with open(sys.argv[1] + ".new", "w") as file:
    file.write(f"{os.getpid()} {child.pid}")
os.rename(sys.argv[1] + ".new", sys.argv[1])
time.sleep(600)
"""


@pytest.fixture
def script(tmp_path):
    def write(text):
        path = tmp_path / "script.py"
        path.write_text(text)
        return str(path)

    return write


def once(text, shares=(ONE,), pool="omp", seconds=inf):
    return run_instances([sys.executable, "-c", text], shares, pool, monotonic() + seconds)


def alive(number):
    try:
        with open(f"/proc/{number}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


def numbers_in(path):
    end = monotonic() + LIMIT
    while not path.exists():
        assert monotonic() < end
        time.sleep(0.01)
    return list(map(int, path.read_text().split()))


def all_end(numbers):
    end = monotonic() + LIMIT
    while any(map(alive, numbers)) and monotonic() < end:
        time.sleep(0.01)
    return not any(map(alive, numbers))


def test_what_instances_report_comes_back():
    text = "from threadpool_iface.runtime import report\nreport(3, .5)\nreport(4, .25)"
    for reports in once(text, [ONE, ONE]):
        assert [one[:2] for one in reports] == [(3, 0.5), (4, 0.25)]


def test_one_that_reports_nothing_is_an_item():
    ((report,),) = once("pass")
    assert report.items == 1
    assert 0 < report.seconds < LIMIT


@pytest.mark.parametrize("pool", ["omp", "eigen"])
def test_it_has_its_cores_and_settings(monkeypatch, pool):
    for name in ("OMP_NUM_THREADS", "KMP_AFFINITY"):
        monkeypatch.delenv(name, raising=False)
    once(f"""
import os
import threadpool_iface as t
assert os.sched_getaffinity(0) == {set(ALL)}
assert os.environ["OMP_NUM_THREADS"] == os.environ["NUMBA_NUM_THREADS"] == "{len(ALL)}"
pool = t.get_threadpool()
assert pool.num_threads == {len(ALL)}, pool
assert type(pool).__name__.lower().startswith("{pool}"), pool
""", [ALL], pool)


def test_instances_can_take_their_shares_of_the_data():
    text = ("from threadpool_iface import report_throughput, shard\n"
            "report_throughput(sum(shard([1, 2, 3])), 1)")
    first, second = once(text, [ONE, ONE])
    assert (first[0].items, second[0].items) == (3, 3)


def test_settings_of_the_user_stay(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    once("import os; assert os.environ['OMP_NUM_THREADS'] == '3'")


def test_this_thread_keeps_its_mask():
    before = os.sched_getaffinity(0)
    once("pass")
    assert os.sched_getaffinity(0) == before


def test_one_that_fails_is_quoted_and_the_others_are_ended(tmp_path):
    text = (f"import os, sys, time\n"
            f"if os.sched_getaffinity(0) == {set(ONE)}:\n    sys.exit('no weights')\n"
            "time.sleep(600)")
    shares = [ALL, ONE] if len(ALL) > 1 else [ONE]
    with pytest.raises(InstanceError, match="ended with exit status 1: no weights"):
        once(text, shares)


def test_one_that_is_killed_is_an_error():
    with pytest.raises(InstanceError, match="ended with signal 9"):
        once("import os; os.kill(os.getpid(), 9)")


def test_reports_that_make_no_sense_are_an_error():
    with pytest.raises(InstanceError, match="reports must be lines"):
        once("import os; open(os.environ['THREADPOOL_IFACE_REPORT'], 'w').write('x\\n')")


def test_what_an_instance_leaves_behind_is_ended(tmp_path):
    path = tmp_path / "numbers"
    once(f"""
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
open({str(path)!r}, "w").write(str(child.pid))
""")
    assert all_end(numbers_in(path))


def test_the_deadline_ends_instances_with_their_children(tmp_path):
    path = tmp_path / "numbers"
    command = [sys.executable, "-c", STAYS, str(path)]
    found = []
    # Far enough away for the script to have started its child.
    while not path.exists():
        found.append(run_instances(command, [ONE], "omp", monotonic() + 1 + 4 * len(found)))
    assert set(found) == {None}
    assert all_end(numbers_in(path))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_ctrl_c_ends_all_of_it(tmp_path, script, number):
    path = tmp_path / "numbers"
    process = subprocess.Popen(
        [sys.executable, "-m", "threadpool_iface.cli", "map", script(STAYS), str(path)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler))
    numbers = numbers_in(path)
    process.send_signal(number)
    _, said = process.communicate(timeout=LIMIT)
    assert process.returncode == 130, said
    assert said == ""
    assert all_end(numbers)


def test_instances_die_with_a_killed_parent(tmp_path, script):
    path = tmp_path / "numbers"
    process = subprocess.Popen(
        [sys.executable, "-m", "threadpool_iface.cli", "map", script(STAYS), str(path)])
    numbers = numbers_in(path)
    process.kill()
    process.wait()
    assert all_end(numbers[:1])
    os.kill(numbers[1], signal.SIGKILL)  # a child of the instance


# -- all in turns ----------------------------------------------------------------------------------


def test_every_configuration_is_run_in_every_round(script):
    steps = []
    found = measure(script("pass"), cpu_pool=ALL, pools=["omp"], rounds=2,
                    progress=lambda *step: steps.append(step))
    tried = [each for _, _, each in steps]
    assert set(tried[:len(found.runs)]) == set(tried[len(found.runs):]) == set(found.runs)
    assert [done for done, _, _ in steps] == list(range(2 * len(found.runs)))
    assert {total for _, total, _ in steps} == {2 * len(found.runs)}


def test_results_are_kept_and_gone_on_with(script, tmp_path):
    counted, results = tmp_path / "count", tmp_path / "results.json"
    path = script(f"open({str(counted)!r}, 'a').write('.')")

    def again(**options):
        counted.unlink(missing_ok=True)
        found = measure(path, cpu_pool=ONE, results=results, **options)
        return len(counted.read_text()) if counted.exists() else 0, found

    assert again(rounds=2)[0] == 2
    runs, found = again(rounds=3)
    assert runs == 1
    assert again(rounds=3)[0] == 0
    assert len(json.loads(results.read_text())["runs"]["1 x 1 omp"]) == 3
    assert found.runs.keys() == {Configuration(1, 1, "omp")}


def test_results_of_something_else_are_refused(script, tmp_path):
    results, path = tmp_path / "results.json", script("pass")
    measure(path, cpu_pool=ONE, rounds=1, results=results)
    with pytest.raises(ValueError, match="holds results of command"):
        measure(path, ["x"], cpu_pool=ONE, rounds=1, results=results)
    results.write_text("[1]")
    with pytest.raises(ValueError, match="does not hold results of a map"):
        measure(path, cpu_pool=ONE, rounds=1, results=results)


def test_a_configuration_that_fails_is_not_tried_again(script, tmp_path):
    counted = tmp_path / "count"
    path = script(f"open({str(counted)!r}, 'a').write('.'); raise SystemExit('no')")
    found = measure(path, cpu_pool=ONE, rounds=3, results=tmp_path / "results.json")
    measure(path, cpu_pool=ONE, rounds=3, results=tmp_path / "results.json")
    assert counted.read_text() == "."
    assert found.runs == {}
    assert "exit status 1: no" in found.failed[Configuration(1, 1, "omp")]


def test_after_the_time_limit_there_is_what_was_measured(script):
    found = measure(script("import time; time.sleep(600)"), cpu_pool=ONE, time_limit=0.2)
    assert (found.runs, found.failed) == ({}, {})


@pytest.mark.parametrize(("options", "error", "why"), [
    ({"rounds": 0}, ValueError, "rounds must be at least 1"),
    ({"time_limit": 0}, ValueError, "time_limit must be above 0 seconds, not 0"),
    ({"pools": ["x"]}, ValueError, "pools must be some of")])
def test_wrong_settings_are_refused(script, options, error, why):
    with pytest.raises(error, match=why):
        measure(script("pass"), **options)


def test_a_script_that_does_not_exist_is_refused():
    with pytest.raises(ValueError, match=r"script 'nowhere\.py' does not exist"):
        measure("nowhere.py")


# -- the command -----------------------------------------------------------------------------------

WORK = "from threadpool_iface.runtime import report\nimport sys\nreport(int(sys.argv[1]), .5)\n"


def test_the_command_prints_figures_and_lines_to_type(script, capsys, tmp_path):
    path, picture = script(WORK), tmp_path / "map.svg"
    assert main(["map", "--rounds", "1", "--core-list", str(ONE.core_ids[0]), "--plain",
                 "--picture", str(picture), path, "8"]) == 0
    shown = capsys.readouterr().out
    listed = " ".join(shown.split())
    assert "16 items/s, median 500 ms, p99 500 ms; best throughput; best latency; Pareto" in listed
    assert ("threadpool-iface launch --ninstances 1 --ncores-per-instance 1 --pool omp "
            f"{path} 8\n") in shown
    assert "<svg" in picture.read_text()


@pytest.mark.parametrize(("arguments", "status", "why"), [
    (["--core-list", "x"], 2, "--core-list must be numbers and ranges"),
    (["--rounds", "0"], 2, "rounds must be at least 1"),
    (["--pools", "tbb"], 2, "pools must be some of"),
    (["--time-limit", "0.001"], 1, "the time limit came before"),
    ([], 1, "no configuration could run; 1 x 1 omp: an instance ended with exit status 1")])
def test_the_command_says_what_is_wrong(script, capsys, arguments, status, why):
    assert main(["map", *arguments, script("raise SystemExit('no')")]) == status
    assert why in capsys.readouterr().err
