"""The C core under ThreadSanitizer, AddressSanitizer and UndefinedBehaviorSanitizer, built by gcc
and by clang, and proof that the stress catches bugs.

`stress.c` runs clean as it is. Each planted bug is one line of the core changed by a macro; a
stress that did not fail on it would prove nothing.
"""

from __future__ import annotations

import shutil
import subprocess

import pytest

from .building import build_stress, run_stress

SANITIZERS = {
    "thread": ["-fsanitize=thread"],
    "address": ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"],
    "none": [],
}
#: What each planted bug breaks, the build that catches it, and the seconds after which a program
#: that hangs is stopped.
PLANTED = {
    "RELAXED_SIGNAL": "thread",  # a signal word is published without release: races
    "DOUBLE_CLAIM": "none",  # two members claim the same task: it runs twice
    "LATE_TAKE_BACK": "none",  # a child began meanwhile: its tasks run twice
    "LOST_WAKE_UP": "none",  # a worker parks without a last look: a pool never closes
    "HASTY_CLOSE": "none",  # a second closer returns while the first still ends the pool
    "RELAXED_END": "thread",  # a second closer does not see all that the first did
    "FORK_UNSEEN": "none",  # a child goes on with the parent's region as if the team were its own
    "TEAM_KEPT": "none",  # a child waits for the team of its parent's region
    "LEFT_IN_CHILD": "none",  # a region of the parent leaves the child's gate: it counts below zero
    "HASTY_LEASE": "none",  # a lease ends while a call of it runs
    "LEASE_NOT_KEPT": "address",  # a holder has no reference: it uses freed memory
    "RELAXED_CALL": "thread",  # the end of a lease does not see what its calls did
    "LEASE_IN_CHILD": "none",  # a child waits for a call of its parent's
}
#: A hang takes all its time to be one, so these get less of it.
HANGING = {"LOST_WAKE_UP", "TEAM_KEPT", "LEASE_IN_CHILD"}


@pytest.fixture(params=["gcc", "clang"])
def compiler(request):
    if shutil.which(request.param) is None:
        pytest.skip(f"{request.param} is not installed")
    return request.param


@pytest.mark.parametrize("sanitizer", SANITIZERS)
def test_stress_is_clean(tmp_path, compiler, sanitizer):
    try:
        program = build_stress(tmp_path, *SANITIZERS[sanitizer], compiler=compiler)
    except subprocess.CalledProcessError as error:
        if "libclang_rt" in error.stderr:
            pytest.skip("libclang-rt is not installed (Debian: libclang-rt-*-dev)")
        raise
    for seed in (1, 2, 3):
        done = run_stress(program, seed, 4000, 120)
        assert done.returncode == 0, done.stderr[-4000:]
        assert done.stdout.startswith("ok, ")


def test_extreme_sizes_are_no_undefined_behaviour(tmp_path, compiler):
    try:
        program = build_stress(tmp_path, *SANITIZERS["address"], compiler=compiler, name="extremes")
    except subprocess.CalledProcessError as error:
        if "libclang_rt" in error.stderr:
            pytest.skip("libclang-rt is not installed (Debian: libclang-rt-*-dev)")
        raise
    done = subprocess.run([program], capture_output=True, text=True, check=False, timeout=120)
    assert (done.returncode, done.stdout) == (0, "ok\n"), done.stderr[-4000:]


@pytest.mark.parametrize("bug", PLANTED)
def test_stress_catches_a_planted_bug(tmp_path, bug):
    program = build_stress(tmp_path, f"-DTPI_PLANT_{bug}", *SANITIZERS[PLANTED[bug]])
    seconds = 5 if bug in HANGING else 60
    assert any(run_stress(program, seed, 20_000, seconds).returncode for seed in range(1, 6))
