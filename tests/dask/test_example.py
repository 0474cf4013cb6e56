"""The example in the documentation runs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("distributed", reason="distributed is not installed")

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "dask_batches.py"


def test_batches_on_a_cluster():
    small = ["--batches", "3", "--images", "1", "--size", "16", "--turns", "1"]
    done = subprocess.run(
        [sys.executable, EXAMPLE, *small],
        capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("images/s") == 2
