"""`python -m bench.openmp`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_constructs_are_compared_on_libgomp_and_both_pools():
    done = subprocess.run(
        [sys.executable, "-m", "bench.openmp", "--quick", "--experiments", "constructs"],
        cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    for construct in ("parallel", "barrier", "dynamic,16", "guided", "task"):
        assert construct in done.stdout


def test_every_call_of_every_caller_is_timed():
    program = """
from bench.cases import Case
from bench.contenders import create
contender = create("openmp omp", 2)
prepared = contender.prepare(Case("openmp", body="numpy + matmul", tasks=3))
seconds = prepared.call(4)
assert seconds.shape == (12,) and (seconds > 0).all()
"""
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, timeout=120, check=True)
