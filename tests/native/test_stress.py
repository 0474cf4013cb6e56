"""The C core under ThreadSanitizer and AddressSanitizer, and proof that the stress catches bugs.

`stress.c` runs clean as it is. Each planted bug is one line of the core changed by a macro; a
stress that did not fail on it would prove nothing.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

NATIVE = Path(__file__).parents[2] / "threadpool_iface" / "native"
SANITIZERS = {
    # gcc's ThreadSanitizer does not model fences, and warns; the core's fences order only
    # atomics, which it need not understand to find races on plain data.
    "thread": ["-fsanitize=thread", "-Wno-tsan"],
    "address": ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"],
    "none": [],
}
#: What each planted bug breaks, the build that catches it, and the seconds after which a program
#: that hangs is stopped.
PLANTED = {
    "RELAXED_SIGNAL": "thread",  # a signal word is published without release: races
    "DOUBLE_CLAIM": "none",  # two members claim the same task: it runs twice
    "LOST_WAKE_UP": "none",  # a worker parks without a last look: a pool never closes
}


@pytest.fixture(scope="module")
def build(tmp_path_factory):
    compiler = os.environ.get("CC", "gcc")
    if shutil.which(compiler) is None:
        pytest.skip(f"no C compiler {compiler!r}")
    folder = tmp_path_factory.mktemp("stress")

    def compile_stress(name: str, *flags: str) -> Path:
        program = folder / name
        subprocess.run(
            [compiler, "-std=gnu11", "-g", "-O1", "-pthread", "-Wall", "-Wextra", *flags,
             f"-I{NATIVE / 'include'}", f"-I{NATIVE / 'src'}",
             str(Path(__file__).with_name("stress.c")), *map(str, (NATIVE / "src").glob("*.c")),
             "-o", str(program)],
            check=True, capture_output=True, text=True)
        return program

    return compile_stress


def run(program: Path, seed: int, rounds: int, seconds: int) -> subprocess.CompletedProcess:
    return subprocess.run([program, str(seed), str(rounds), str(seconds)], capture_output=True,
                          text=True, check=False, timeout=seconds + 60)


@pytest.mark.parametrize("sanitizer", SANITIZERS)
def test_stress_is_clean(build, sanitizer):
    program = build(sanitizer, *SANITIZERS[sanitizer])
    for seed in (1, 2, 3):
        done = run(program, seed, 4000, 120)
        assert done.returncode == 0, done.stderr[-4000:]
        assert done.stdout == "ok\n"


@pytest.mark.parametrize("bug", PLANTED)
def test_stress_catches_a_planted_bug(build, bug):
    program = build(bug, f"-DTPI_PLANT_{bug}", *SANITIZERS[PLANTED[bug]])
    # A hang takes all its time to be one, so it gets less of it.
    seconds = 5 if bug == "LOST_WAKE_UP" else 60
    assert any(run(program, seed, 20_000, seconds).returncode != 0 for seed in range(1, 6))
