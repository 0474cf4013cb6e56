"""However a launch ends, no process of it is left, and the exit status says how it went."""

from __future__ import annotations

import os
import signal
import subprocess
import time
import uuid

import pytest

from .programs import LAUNCH, clean_environment, launch, processes_with, program, start

MARKER = "LAUNCH_TEST_MARKER"
#: Each instance has a child, and says when both are ready.
WITH_CHILD = """
import os, signal, subprocess, sys
who = int(os.environ["THREADPOOL_IFACE_INSTANCE"])
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
def stopped(number, frame):
    print("stopped by", signal.Signals(number).name)
    sys.exit(7)
"""
READY = "print('ready')\nwhile True: signal.pause()\n"
OBEYS = WITH_CHILD + "for n in (2, 15): signal.signal(n, stopped)\n" + READY
IGNORES = WITH_CHILD + "for n in (2, 15): signal.signal(n, signal.SIG_IGN)\n" + READY


@pytest.fixture
def marker():
    """What all processes of the test have in their environment; all of them must end."""
    value = uuid.uuid4().hex
    yield {MARKER: value}
    deadline = time.monotonic() + 30
    while processes_with(value) and time.monotonic() < deadline:
        time.sleep(0.01)
    left = processes_with(value)
    for process in left:
        os.kill(int(process), signal.SIGKILL)
    assert not left


def until_ready(launcher, count):
    for _ in range(count):
        assert launcher.stdout.readline().endswith("] ready\n")


def started(tmp_path, marker, code, *options):
    launcher = start("--ninstances", 2, "--oversubscribe", *options, program(tmp_path, code),
                     **marker)
    until_ready(launcher, 2)
    return launcher


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_is_passed_on(tmp_path, marker, number):
    code = OBEYS.replace("(2, 15)", "(1, 2, 15)")
    with started(tmp_path, marker, code) as launcher:
        launcher.send_signal(number)
        out, err = launcher.communicate()
    assert sorted(out.splitlines()) == [f"[{i}] stopped by {number.name}" for i in range(2)]
    assert launcher.returncode == 128 + number
    assert "[0] ended with exit code 7" in err


def test_who_ignores_a_signal_is_killed_when_the_time_is_over(tmp_path, marker):
    with started(tmp_path, marker, IGNORES, "--grace", "0.1") as launcher:
        launcher.terminate()
        _, err = launcher.communicate()
    assert launcher.returncode == 128 + signal.SIGTERM
    assert "[1] was ended by SIGKILL" in err


def test_a_second_signal_kills(tmp_path, marker):
    with started(tmp_path, marker, IGNORES, "--grace", "600") as launcher:
        launcher.terminate()
        while launcher.poll() is None:
            launcher.terminate()
            time.sleep(0.01)
        assert "was ended by SIGKILL" in launcher.stderr.read()


@pytest.mark.parametrize("code", [OBEYS, IGNORES])
def test_nothing_survives_a_launcher_that_is_killed(tmp_path, marker, code):
    with started(tmp_path, marker, code) as launcher:
        assert len(processes_with(marker[MARKER])) >= 5
        launcher.kill()


@pytest.mark.parametrize(("ending", "status", "said"), [
    ("sys.exit(3)", 3, "[1] ended with exit code 3"),
    ("raise ValueError", 1, "[1] ended with exit code 1"),
    ("os.kill(os.getpid(), signal.SIGSEGV)", 139, "[1] was ended by SIGSEGV"),
    ("os.abort()", 134, "[1] was ended by SIGABRT"),
])
def test_a_crash_is_told_and_the_others_go_on(tmp_path, marker, ending, status, said):
    done = launch("--ninstances", 3, "--oversubscribe", program(
        tmp_path, WITH_CHILD + f"if who == 1: {ending}\nprint('done')"), **marker)
    assert done.returncode == status
    assert f"launch: {said}" in done.stderr.splitlines()
    assert sorted(done.stdout.splitlines()) == ["[0] done", "[2] done"]


def test_a_crash_is_told_while_the_others_run(tmp_path, marker):
    code = OBEYS.replace("print('ready')", "if who == 1: os.abort()\nprint('ready')")
    with start("--ninstances", 2, "--oversubscribe", program(tmp_path, code), **marker) as launcher:
        until_ready(launcher, 1)
        told = next(line for line in launcher.stderr if "ended" in line)
        assert told == "launch: [1] was ended by SIGABRT\n"
        launcher.terminate()
        launcher.communicate()
    assert launcher.returncode == 128 + signal.SIGTERM


def test_a_crash_stops_the_others_if_asked_to(tmp_path, marker):
    code = OBEYS.replace("print('ready')", "if who == 1: os.abort()\nprint('ready')")
    done = launch("--ninstances", 3, "--oversubscribe", "--stop-on-error",
                  program(tmp_path, code), **marker)
    assert done.returncode != 0
    assert "stopping the others, as --stop-on-error asks" in done.stderr
    assert done.stderr.count("stopping the others") == 1


def test_the_first_failure_is_the_status(tmp_path, marker):
    done = launch("--ninstances", 3, "--oversubscribe",
                  program(tmp_path, WITH_CHILD + "sys.exit(who and 10 - who)"), **marker)
    assert done.returncode == 9


def test_an_instance_that_cannot_be_started_ends_the_others(tmp_path, marker):
    (tmp_path / "instance-1.log").mkdir()
    done = launch("--ninstances", 2, "--oversubscribe", "--log-dir", tmp_path,
                  program(tmp_path, OBEYS), **marker)
    assert done.returncode == 2
    assert "instance-1.log" in done.stderr


def test_a_daemon_that_holds_the_output_does_not_hold_the_launcher(tmp_path):
    done = launch(program(tmp_path, """
import subprocess, sys
daemon = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"],
                          start_new_session=True, stdout=None)
print(daemon.pid)
"""), "&")
    os.kill(int(done.stdout.removeprefix("[0] ")), signal.SIGKILL)
    assert done.returncode == 0


def test_a_reader_that_has_seen_enough_ends_it(tmp_path, marker):
    code = WITH_CHILD + "while True: print('more')\n"
    with start("--ninstances", 2, "--oversubscribe", program(tmp_path, code),
               **marker) as launcher:
        launcher.stdout.readline()
        launcher.stdout.close()
        assert launcher.wait() == 1


def test_exit_codes_are_known_where_the_end_of_children_was_ignored(tmp_path, marker):
    done = subprocess.run(
        [*LAUNCH, program(tmp_path, "raise SystemExit(6)")], capture_output=True, check=False,
        env=clean_environment(**marker),
        preexec_fn=lambda: signal.signal(signal.SIGCHLD, signal.SIG_IGN))
    assert done.returncode == 6


def test_signals_that_were_ignored_stay_so(tmp_path, marker):
    code = OBEYS.replace("(2, 15)", "(15,)")
    launcher = subprocess.Popen(
        [*LAUNCH, program(tmp_path, code)], stdout=subprocess.PIPE, text=True,
        stderr=subprocess.PIPE, env=clean_environment(**marker),
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN))
    with launcher:
        until_ready(launcher, 1)
        launcher.send_signal(signal.SIGINT)
        launcher.terminate()
        out, _ = launcher.communicate()
    assert out == "[0] stopped by SIGTERM\n"
    assert launcher.returncode == 128 + signal.SIGTERM
