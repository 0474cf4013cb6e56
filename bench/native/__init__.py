"""The C bodies, built once for each version of their source with the system's compiler."""

from __future__ import annotations

import ctypes
import hashlib
import os
import subprocess
import tempfile
from functools import cache
from pathlib import Path

import numpy as np

SOURCE = Path(__file__).with_name("bodies.c")
IDLE = {"hot": 0, "slept": 1, "busy": 2}
SCHEDULES = {"static": 0, "dynamic": 1}
CHUNKS = 64


@cache
def library() -> ctypes.CDLL:
    """The compiled bodies.

    Raises
    ------
    RuntimeError
        The compiler is missing or failed; its own words are in the message.
    """
    compiler = os.environ.get("CC", "cc")
    text = SOURCE.read_bytes()
    name = f"bodies-{hashlib.sha256(text + compiler.encode()).hexdigest()[:16]}.so"
    folder = Path(__file__).with_name("__pycache__")
    target = folder / name
    if not target.exists():
        folder.mkdir(exist_ok=True)
        _compile(compiler, target)
    loaded = ctypes.CDLL(str(target))
    loaded.skewed.restype = ctypes.c_double
    loaded.multiply_add_peak.restype = ctypes.c_double
    return loaded


def _compile(compiler: str, target: Path) -> None:
    with tempfile.NamedTemporaryFile(dir=target.parent, suffix=".so", delete=False) as half:
        command = [compiler, "-std=gnu11", "-O2", "-fopenmp", "-shared", "-fPIC", str(SOURCE),
                   "-o", half.name]
        try:
            subprocess.run(command, check=True, capture_output=True, text=True)
        except (OSError, subprocess.CalledProcessError) as error:
            os.unlink(half.name)
            words = getattr(error, "stderr", "") or error
            raise RuntimeError(f"cannot build {SOURCE.name}: {words}") from error
    os.replace(half.name, target)  # whole or not at all, whoever builds at the same time


def latency(parallel: int, pool: int, nthr: int, idle: str, count: int) -> np.ndarray:
    """Seconds of each of `count` regions of `nthr` rendezvous tasks; `parallel` 0 is OpenMP."""
    seconds = np.empty(count)
    library().latency(ctypes.c_void_p(parallel), ctypes.c_void_p(pool), nthr, IDLE[idle], count,
                      seconds.ctypes.data_as(ctypes.c_void_p))
    return seconds


def skewed(parallel: int, pool: int, nthr: int, schedule: str, unit: int) -> float:
    """Seconds of one triangular loop of 64 chunks; `parallel` 0 is OpenMP."""
    results = np.empty(CHUNKS)
    return float(library().skewed(
        ctypes.c_void_p(parallel), ctypes.c_void_p(pool), nthr, SCHEDULES[schedule], CHUNKS,
        ctypes.c_int64(unit), results.ctypes.data_as(ctypes.c_void_p)))


#: float32 operations of one step of the register-only loop.
PEAK_FLOPS_PER_STEP = 2 * 24 * 16


def multiply_add_peak(parallel: int, pool: int, nthr: int, steps: int) -> float:
    """Seconds in which `nthr` tasks each do `steps` steps of multiply-adds on registers only."""
    return float(library().multiply_add_peak(
        ctypes.c_void_p(parallel), ctypes.c_void_p(pool), nthr, ctypes.c_int64(steps)))
