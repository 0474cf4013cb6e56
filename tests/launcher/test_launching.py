"""What launched programs see, and what comes back from them."""

from __future__ import annotations

import os
import shlex
import subprocess

import pytest

from threadpool_iface import CPUPool
from threadpool_iface.cli.__main__ import main

from .programs import clean_environment, launch, program

CORES = CPUPool.physical()
SHOW = """
import os, sys
print(sorted(os.sched_getaffinity(0)), os.environ["OMP_NUM_THREADS"], *sys.argv[1:])
"""


def by_instance(text, index):
    prefix = f"[{index}] "
    return [line.removeprefix(prefix) for line in text.splitlines() if line.startswith(prefix)]


@pytest.mark.parametrize("count", [1, 2])
def test_instances_run_where_it_says(tmp_path, count):
    if count > len(CORES):
        pytest.skip(f"a machine of {count} cores is needed")
    done = launch("--ninstances", count, program(tmp_path, SHOW), "--option", "a b")
    assert done.returncode == 0, done.stderr
    for index, part in enumerate(CORES.split(count)):
        assert by_instance(done.stdout, index) == [
            f"{sorted(part)} {len(part)} --option a b"]
        assert f"launch: [{index}] core" in done.stderr


def test_too_many_instances_are_refused_before_any_starts(tmp_path):
    done = launch("--ninstances", 2 * len(CORES), "--core-list", ",".join(map(str, CORES)),
                  program(tmp_path, SHOW))
    assert (done.returncode, done.stdout) == (2, "")
    assert "less than one each" in done.stderr
    assert "--oversubscribe" in done.stderr


def test_instances_share_cores_if_asked_to(tmp_path):
    count = 2 * len(CORES)
    done = launch("--ninstances", count, "--oversubscribe", program(tmp_path, SHOW))
    cores = [eval(by_instance(done.stdout, i)[0].partition("]")[0] + "]") for i in range(count)]
    assert cores == [[core] for core in [*CORES, *CORES]]


def test_workers_of_the_default_pool_are_on_the_instances_cores(tmp_path):
    done = launch(program(tmp_path, """
import os, threadpool_iface as t
seen = set()
t.parallel(64, lambda i, n: seen.update(os.sched_getaffinity(0)))
print(type(t.get_threadpool()).__name__, t.get_max_threads(), sorted(seen))
"""), "--pool", "ignored: it is the program's")
    assert by_instance(done.stdout, 0) == [f"OmpLikePool {len(CORES)} {sorted(CORES)}"]


def test_lines_arrive_whole_and_on_their_own_stream(tmp_path):
    done = launch("--ninstances", 2, "--oversubscribe", program(tmp_path, """
import sys, os
who = os.environ["THREADPOOL_IFACE_INSTANCE"]
for i in range(300):
    for piece in (who * 500, "-", str(i)):
        sys.stdout.write(piece)
        sys.stdout.flush()
    print()
print("no newline", end="", file=sys.stderr)
"""))
    for who in range(2):
        assert by_instance(done.stdout, who) == [f"{who}" * 500 + f"-{i}" for i in range(300)]
        assert "no newline" in by_instance(done.stderr, who)


def test_logs_have_each_instances_output(tmp_path):
    done = launch("--ninstances", 2, "--oversubscribe", "--log-dir", tmp_path / "a" / "b",
                  program(tmp_path, "import os; print(os.environ['THREADPOOL_IFACE_INSTANCE'])"))
    assert done.returncode == 0
    for index in range(2):
        assert (tmp_path / "a" / "b" / f"instance-{index}.log").read_text() == f"{index}\n"


def test_shards_and_throughputs_add_up(tmp_path):
    done = launch("--ninstances", 2, "--oversubscribe", program(tmp_path, """
from threadpool_iface import report_throughput, shard
part = shard(range(1001))
report_throughput(len(part), 2.0)
print(sum(part))
"""))
    sums = [int(by_instance(done.stdout, i)[0]) for i in range(2)]
    assert sum(sums) == sum(range(1001))
    assert "launch: sum 500.5 items/s" in done.stderr.splitlines()


def test_instances_read_nothing(tmp_path):
    assert by_instance(launch(program(tmp_path, "print(repr(input()))")).stderr, 0)[-1] == (
        "EOFError: EOF when reading a line")


def test_modules_and_other_programs(tmp_path):
    assert by_instance(launch("-m", "platform", "--terse").stdout, 0)
    assert by_instance(launch("--no-python", "printf", "%s", "a;b $HOME").stdout, 0) == [
        "a;b $HOME"]
    missing = launch("--no-python", "no-such-program")
    assert missing.returncode == 2
    assert "no-such-program" in missing.stderr


def test_a_dry_run_prints_commands_that_do_the_same(tmp_path):
    path = program(tmp_path, SHOW)
    done = launch("--ninstances", 2, "--oversubscribe", "--dry-run", path, "a b")
    assert done.returncode == 0
    lines = done.stdout.splitlines()
    assert len(lines) == 2
    ran = subprocess.run(shlex.split(lines[0]), capture_output=True, text=True, check=True,
                         env=clean_environment())
    assert ran.stdout == f"[{CORES.core_ids[0]}] 1 a b\n"


@pytest.mark.parametrize(("policy", "shown"), [
    ("bind", "--membind="), ("preferred", "--preferred="), ("interleave", "--interleave="),
    ("local", "--localalloc"), ("default", "taskset")])
def test_a_dry_run_names_the_memory_policy(tmp_path, capsys, policy, shown):
    main(["launch", "--dry-run", "--core-list", str(CORES.core_ids[0]), "--memory-policy", policy,
          program(tmp_path, "")])
    assert shown in capsys.readouterr().out


def test_a_memory_policy_is_in_force_in_the_instance(tmp_path):
    done = launch("--memory-policy", "bind", program(tmp_path, """
from threadpool_iface.topology import memory
print(memory._get_policy().mode)
"""))
    if "memory policy" in done.stderr or "no NUMA" in done.stderr:
        pytest.skip("this system has no memory policies")
    assert by_instance(done.stdout, 0) == ["2"]


@pytest.mark.parametrize(("options", "reason"), [
    (["--ninstances", "0"], "--ninstances must be at least 1, not 0"),
    (["--ncores-per-instance", "4096"], "an instance of 4096 cores needs 4096"),
    (["--latency-mode", "--throughput-mode"], "--latency-mode and --throughput-mode cannot be"),
    (["--throughput-mode", "--ninstances", "2"], "cannot be combined"),
    (["--oversubscribe"], "--oversubscribe needs --ninstances"),
    (["--node-id", "4095"], "there is no node 4095"),
    (["--node-id", "0", "--nodes", "0"], "--node-id and --nodes cannot be combined"),
    (["--core-list", "0-"], "--core-list must be numbers and ranges such as 0-3,8, not '0-'"),
    (["--core-list", "1023"], "--core-list has CPU 1023"),
    (["--grace", "nan"], "--grace must be at least 0"),
])
def test_options_that_cannot_be_obeyed_are_refused(tmp_path, capsys, options, reason):
    assert main(["launch", *options, program(tmp_path, "")]) == 2
    assert reason in capsys.readouterr().err


def test_a_script_that_is_not_there_is_refused(capsys):
    assert main(["launch", "no-such-script.py"]) == 2
    assert "script 'no-such-script.py' does not exist" in capsys.readouterr().err


def test_the_launcher_keeps_its_own_cores():
    before = os.sched_getaffinity(0)
    assert main(["launch", "--core-list", str(CORES.core_ids[0]), "--no-python", "true"]) == 0
    assert os.sched_getaffinity(0) == before
