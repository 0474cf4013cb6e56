"""Compiled once, announced, cached on disk where only the user can write; one floating-point mode.
"""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

from kernels import Matmul

SCRIPT = """
import numpy as np
from kernels import Matmul
a = np.eye(5, dtype=np.float32)
assert (Matmul((5, 5), (5, 5))(a, a) == a).all()
"""


def run(folder) -> str:
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True,
                          env={**os.environ, "NUMBA_CACHE_DIR": str(folder)}, check=False)
    assert done.returncode == 0, done.stderr
    return done.stderr


def test_the_first_process_compiles_and_says_so_the_second_is_silent(tmp_path):
    first = run(tmp_path)
    assert "kernels: compiling float32 GEMM microkernels" in first
    assert "kernels: compiling matmul" in first
    assert run(tmp_path) == ""


def test_a_cache_that_others_can_write_is_not_used(tmp_path):
    run(tmp_path)
    for folder in tmp_path.iterdir():
        folder.chmod(0o777)
    again = run(tmp_path)
    assert "writable by others" in again
    assert "kernels: compiling" in again


def test_flush_to_zero_in_the_caller_changes_no_bit():
    torch = pytest.importorskip("torch")
    tiny = np.full((4, 4), 1e-30, np.float32)
    mm = Matmul((4, 4), (4, 4))
    plain = mm(tiny, np.full((4, 4), 1e-10, np.float32))
    assert (plain != 0).all()
    assert torch.set_flush_denormal(True)
    try:
        flushed = mm(tiny, np.full((4, 4), 1e-10, np.float32))
    finally:
        torch.set_flush_denormal(False)
    assert np.array_equal(plain.view(np.uint32), flushed.view(np.uint32))
