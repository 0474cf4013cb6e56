"""The protocols of the C core, model-checked with Spin; and proof that the checks can fail.

Each model in `models/` is explored completely, as it is and with each of its planted bugs. Spin
sees sequentially consistent steps; weaker orders are ThreadSanitizer's part.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

MODELS = Path(__file__).with_name("models")
PLANTED = {
    "signal_word": ["WAKE_NOBODY", "TORN_EXCHANGE", "NO_COMPARE"],
    "taking_back": ["BLIND_TAKE_BACK", "BLIND_BEGIN", "WAKE_NOBODY"],
    "event_count": ["NO_LAST_LOOK", "NOTIFY_FIRST", "NO_EPOCH", "NOT_PASSED_ON"],
    "run_queue": ["NO_CLAIM", "NO_MUTEX"],
    "loop": ["NO_REFERENCE", "END_EARLY", "SPLIT_CLAIM"],
    "gate": ["LOOK_FIRST", "REFUSED_STAYS", "TORN_CLOSE", "WAKE_ONE", "ENDED_UNTOLD",
             "SECOND_RETURNS"],
    "fork_generation": ["LEAVE_ANYWAY", "CLAIM_ON", "JOIN_ANYWAY", "UNLOCK_ANYWAY", "RUN_ON",
                        "NO_MUTEX", "NO_SECOND_LOOK", "GENERATION_FIRST", "ENDED_LEFT"],
    "latch_end": ["ONE_ENTRY", "TOLD_NOBODY", "RESULT_LATE", "NO_OWN_REFERENCE", "DROP_FIRST",
                  "LEAVE_EARLY", "WAKE_FIRST", "NO_END", "KEPT", "NOT_DRAINED"],
    "gang_start": ["NO_TURN", "TURN_EARLY", "QUEUED_ONCE", "START_SHORT", "BLIND_CALL_OFF",
                   "LATE_JOINS", "NOT_COUNTED", "KEPT"],
    "team": ["BLIND_TRY", "UNLOCK_BLINDLY", "ONE_AFTER_WAKING", "GIVE_UP_FIRST", "FROM_ZERO",
             "UNLOCK_EARLY"],
    "openmp_team": ["WAIT_FOR_EVER", "SMALLER", "FROM_ZERO", "NOT_AWAITED"],
    "lease": ["LOOK_FIRST", "TORN_END", "NOT_WOKEN", "NO_END", "NO_KEEP", "RELEASE_FIRST",
              "WAITS_IN_CHILD"],
}


def explore(folder, model, *flags):
    """Spin's report on a model: states it visited and errors it found."""
    if shutil.which("spin") is None:
        pytest.skip("spin is not installed")
    subprocess.run(["spin", *flags, "-a", str(MODELS / f"{model}.pml")], cwd=folder, check=True,
                   capture_output=True, text=True)
    subprocess.run(["gcc", "-O2", "-w", "-DSAFETY", "-DCOLLAPSE", "-DMEMLIM=4096", "-o", "pan",
                    "pan.c"], cwd=folder, check=True, capture_output=True, text=True)
    done = subprocess.run(["./pan", "-m1000000"], cwd=folder, capture_output=True, text=True,
                          timeout=300, check=False)
    match = re.search(r"errors: (\d+)", done.stdout)
    assert match, done.stdout + done.stderr
    return done.stdout, int(match[1])


@pytest.mark.parametrize("model", PLANTED)
def test_the_protocol_holds(tmp_path, model):
    report, errors = explore(tmp_path, model)
    assert errors == 0, report
    # An exploration that was cut short would prove nothing.
    assert "max search depth too small" not in report
    assert "out of memory" not in report
    assert "Search not completed" not in report


@pytest.mark.parametrize(("model", "bug"), [(m, bug) for m in PLANTED for bug in PLANTED[m]])
def test_spin_finds_a_planted_bug(tmp_path, model, bug):
    report, errors = explore(tmp_path, model, f"-D{bug}")
    assert errors == 1, report


def test_every_planted_bug_is_tried():
    for model, bugs in PLANTED.items():
        text = (MODELS / f"{model}.pml").read_text()
        assert set(re.findall(r"#ifn?def (\w+)", text)) == set(bugs), model
    assert {path.stem for path in MODELS.glob("*.pml")} == set(PLANTED)
