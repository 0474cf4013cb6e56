"""Builds and runs the stress program."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

HERE = Path(__file__).parent
#: The files of programs that have more than one.
PARTS = {"stress": ["stress.c", "ends.c"]}
CORE = HERE.parents[1] / "threadpool_iface" / "native"


def build_stress(
    folder: Path, *flags: str, compiler: str | None = None, name: str = "stress"
) -> Path:
    """Compile `stress.c`, or `name`, with the C core; CalledProcessError has the errors."""
    compiler = compiler or os.environ.get("CC", "gcc")
    program = folder / name
    # gcc's ThreadSanitizer does not model fences, and says so; the core's fences order only
    # atomics, which it need not understand to find races on plain data.
    quiet = ["-Wno-tsan"] if "-fsanitize=thread" in flags and compiler != "clang" else []
    subprocess.run(
        [compiler, "-std=gnu11", "-g", "-O1", "-pthread", "-Wall", "-Wextra", *quiet, *flags,
         f"-I{CORE / 'include'}", f"-I{CORE / 'src'}",
         *(str(HERE / part) for part in PARTS.get(name, [f"{name}.c"])),
         *map(str, (CORE / "src").glob("*.c")), "-o", str(program), "-lm"],
        check=True, capture_output=True, text=True)
    return program


def run_stress(
    program: Path, seed: int, rounds: int, seconds: int
) -> subprocess.CompletedProcess[str]:
    """Run it until it ends, or for so many seconds, after which it counts as hung."""
    return subprocess.run([program, str(seed), str(rounds), str(seconds)], capture_output=True,
                          env={**os.environ, "TSAN_OPTIONS": "halt_on_error=1"},
                          text=True, check=False, timeout=seconds + 60)
