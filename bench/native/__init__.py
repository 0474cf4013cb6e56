"""The C bodies, built once for each version of their source with the system's compiler."""

from __future__ import annotations

import ctypes
from functools import cache

import numpy as np

from .build import shared_library

IDLE = {"hot": 0, "slept": 1, "busy": 2}
SCHEDULES = {"static": 0, "dynamic": 1}
BODIES = {"empty": 0, "rendezvous": 1, "delay": 2}
CHUNKS = 64


@cache
def library() -> ctypes.CDLL:
    """The compiled bodies.

    Raises
    ------
    RuntimeError
        The compiler is missing or failed; its own words are in the message.
    """
    loaded = ctypes.CDLL(str(shared_library("bodies.c", "-fopenmp")))
    for name in ("skewed", "multiply_add_peak", "loop", "region_overhead", "barrier_overhead",
                 "loop_overhead"):
        getattr(loaded, name).restype = ctypes.c_double
    return loaded


def empty_task() -> int:
    """Address of a task that returns at once."""
    return ctypes.cast(library().empty, ctypes.c_void_p).value or 0


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
#: Steps of a task in contenders' `peak`.
PEAK_STEPS = 20_000


#: Floating-point operations of one step of `multiply_add_peak`: 24 vectors of 16, two each.
FLOPS_PER_STEP = 2 * 24 * 16
#: Steps of a task in contenders' `peak`.
PEAK_STEPS = 20_000


def multiply_add_peak(parallel: int, pool: int, nthr: int, steps: int) -> float:
    """Seconds in which `nthr` tasks each do `steps` steps of multiply-adds on registers only."""
    return float(library().multiply_add_peak(
        ctypes.c_void_p(parallel), ctypes.c_void_p(pool), nthr, ctypes.c_int64(steps)))


def _pointer(array: np.ndarray) -> ctypes.c_void_p:
    return array.ctypes.data_as(ctypes.c_void_p)


def loop(parallel: int, pool: int, steps: np.ndarray) -> float:
    """Seconds of one loop whose chunk i does `steps[i]` dependent multiply-adds."""
    steps = np.ascontiguousarray(steps, np.int64)
    results = np.empty(len(steps))
    return float(library().loop(ctypes.c_void_p(parallel), ctypes.c_void_p(pool), len(steps),
                                _pointer(steps), _pointer(results)))


def regions(
    parallel: int, pools: tuple[int, int], tasks: int, body: str, steps: int, count: int
) -> np.ndarray:
    """Seconds of each of `count` regions, run on the two pools (or the one, twice) in turn."""
    seconds, both = np.empty(count), np.array(pools, np.uint64)
    library().regions(ctypes.c_void_p(parallel), _pointer(both), tasks, BODIES[body],
                      ctypes.c_int64(steps), count, _pointer(seconds))
    return seconds


def region_overhead(parallel: int, pool: int, tasks: int, steps: int, inner: int) -> float:
    """Seconds that a region of delays takes longer than one delay; mean of `inner`."""
    return float(library().region_overhead(
        ctypes.c_void_p(parallel), ctypes.c_void_p(pool), tasks, ctypes.c_int64(steps), inner))


def barrier_overhead(
    parallel: int, pool: int, barrier: int, tasks: int, steps: int, inner: int
) -> float:
    """Seconds that a delay and a barrier take longer than the delay; mean of `inner`."""
    return float(library().barrier_overhead(
        ctypes.c_void_p(parallel), ctypes.c_void_p(pool), ctypes.c_void_p(barrier), tasks,
        ctypes.c_int64(steps), inner))


def loop_overhead(
    parallel: int, pool: int, threads: int, iterations: int, chunk: int, steps: int
) -> float:
    """Seconds that a loop in tasks of `chunk` iterations takes longer than its share of delays."""
    return float(library().loop_overhead(
        ctypes.c_void_p(parallel), ctypes.c_void_p(pool), threads, iterations, chunk,
        ctypes.c_int64(steps)))


def rectify(parallel: int, pool: int, nthr: int, x: np.ndarray, y: np.ndarray, sign: float) -> None:
    """y = relu(sign * x) by `nthr` tasks; float32, x contiguous, rows of y contiguous."""
    library().rectify(
        ctypes.c_void_p(parallel), ctypes.c_void_p(pool), nthr, _pointer(x), _pointer(y),
        *map(ctypes.c_int64, (*x.shape, y.strides[0] // y.itemsize)), ctypes.c_float(sign))
