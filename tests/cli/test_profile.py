"""`threadpool-iface profile`: a program's primitives, summed, apart from its own output."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys

import pytest

from threadpool_iface.cli.__main__ import main

PROFILE = [sys.executable, "-m", "threadpool_iface.cli", "profile"]
PROGRAM = """
import sys
import numpy as np
from kernels import Matmul
from threadpool_iface import OmpLikePool, PrimitiveAttr, threadpool
a = np.ones((64, 256), np.float32)
b = np.ones((256, 512), np.float32)
mm = Matmul(a.shape, b.shape, attr=PrimitiveAttr(max_num_threads=4))
once = Matmul(a.shape, b.shape, attr=PrimitiveAttr(max_num_threads=0))
with OmpLikePool(2) as pool, threadpool(pool):
    for _ in range(5):
        mm(a, b)
once(a, b)
print("threadpool_iface,exec,its own output,which looks the same")
sys.exit(int(sys.argv[1]))
"""


@pytest.fixture
def script(tmp_path):
    path = tmp_path / "program.py"
    path.write_text(PROGRAM)
    return path


def test_it_sums_up_and_leaves_the_programs_output_alone(tmp_path, script):
    report = tmp_path / "report.json"
    done = subprocess.run([*PROFILE, "--json", "-o", report, script, "3"], capture_output=True,
                          text=True, check=False)
    assert done.returncode == 3, done.stderr
    assert done.stdout == "threadpool_iface,exec,its own output,which looks the same\n"
    found = json.loads(report.read_text())
    assert found["exit_code"] == 3
    (kernel,) = found["kernels"]
    assert (kernel["primitive"], kernel["kernel"], kernel["calls"]) == ("matmul", "gemm_f32", 6)
    assert kernel["pools"] == {"OmpLikePool:2": 5, "caller": 1}
    assert kernel["milliseconds"] == found["primitives_milliseconds"] > 0
    assert kernel["share"] == 1
    assert set(kernel["threads"]) <= {1, 2}
    assert sum(each["calls"] for each in kernel["mismatches"]) == 5


@pytest.mark.parametrize("options", [["--plain"], ["--by-shape"], []])
def test_the_table(capfd, script, options):
    assert main(["profile", *options, str(script), "0"]) == 0
    header, line, total = capfd.readouterr().err.splitlines()[-3:]
    assert header.startswith("primitive")
    assert line.split()[:2] == ["matmul", "gemm_f32"]
    assert ("64x256:256x512" in line) == ("--by-shape" in options)
    assert total.startswith("6 calls of primitives, ")


def test_a_terminal_gets_colours_where_rich_is(script, tmp_path):
    pytest.importorskip("rich", reason="rich is not installed")
    import io

    from threadpool_iface.cli._table import write_table

    class Terminal(io.StringIO):
        def isatty(self):
            return True

    terminal = Terminal()
    write_table(["a", "b"], [["one", "1"]], terminal)
    assert "\x1b[" in terminal.getvalue()


def test_a_program_without_primitives_is_no_error(capfd, tmp_path):
    script = tmp_path / "nothing.py"
    script.write_text("print('x')")
    assert main(["profile", str(script)]) == 0
    shown = capfd.readouterr()
    assert shown.out == "x\n"
    assert shown.err.startswith("0 calls of primitives")


def test_children_of_the_program_are_counted_too(tmp_path, script):
    parent, report = tmp_path / "parent.py", tmp_path / "report.json"
    parent.write_text(f"import subprocess, sys\n"
                      f"subprocess.run([sys.executable, {str(script)!r}, '0'])")
    subprocess.run([*PROFILE, "--json", "-o", report, parent], check=True, capture_output=True)
    assert json.loads(report.read_text())["kernels"][0]["calls"] == 6


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 5)])
def test_what_ran_before_a_signal_is_shown(tmp_path, number, status):
    script = tmp_path / "waits.py"
    script.write_text("import signal, sys\n"
                      "signal.signal(signal.SIGINT, lambda *_: sys.exit(5))\n"
                      "print('ready', flush=True)\nwhile True: signal.pause()")
    with subprocess.Popen([*PROFILE, script], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True, start_new_session=True) as profile:
        assert profile.stdout.readline() == "ready\n"
        if number == signal.SIGINT:
            os.killpg(profile.pid, number)
        else:
            profile.send_signal(number)
        assert "0 calls of primitives" in profile.stderr.read()
    assert profile.returncode == status


def test_the_program_dies_with_a_profile_that_is_killed(tmp_path):
    script = tmp_path / "waits.py"
    script.write_text("import os, signal\nprint(os.getpid(), flush=True)\nsignal.pause()")
    with subprocess.Popen([*PROFILE, script], stdout=subprocess.PIPE, text=True) as profile:
        program = os.pidfd_open(int(profile.stdout.readline()))
        profile.kill()
        assert select.select([program], [], [], 60)[0], "it still runs"
    os.close(program)


def test_a_script_that_is_not_there_is_refused(capsys):
    assert main(["profile", "no-such-script.py"]) == 2
    assert "does not exist" in capsys.readouterr().err
