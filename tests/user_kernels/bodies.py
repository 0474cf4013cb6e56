"""Bodies that several tests use: compiled once for all of them."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit
def saxpy(begin, end, a, x, y):
    for i in range(begin, end):
        y[i] += a * x[i]


@njit
def count_up(begin, end, seen):
    for i in range(begin, end):
        seen[i] += 1


@njit
def note_task(ithr, nthr, seen):
    seen[ithr] += nthr


@njit
def total_of(begin, end, acc, x):
    for i in range(begin, end):
        acc += x[i]
    return acc


@njit
def running_total(begin, end, acc, x, out):
    for i in range(begin, end):
        acc += x[i]
        out[i] = acc
    return acc


@njit
def add(a, b):
    return a + b


def rounding_numbers(n: int) -> np.ndarray:
    """Numbers whose sum depends on the order of its additions."""
    return np.random.default_rng(n).standard_normal(n) * 10.0 ** (np.arange(n) % 9)
