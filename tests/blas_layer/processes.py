"""Code that needs a process of its own: one that forks, or is told how many threads it has."""

from __future__ import annotations

import subprocess
import sys
import textwrap

SECONDS = 60


def output_of(code: str) -> str:
    """What a fresh Python prints; an error if it fails or hangs."""
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", textwrap.dedent(code)],
                          capture_output=True, text=True, timeout=SECONDS, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout
