"""Parallel loops as users write them, each with a check against plain NumPy."""

from __future__ import annotations

import numba
import numpy as np
from numba import guvectorize, njit, prange, vectorize

N = 10_007  # prime: no even split
VALUES = np.random.default_rng(0).standard_normal(N)


@njit(parallel=True, cache=True)
def total(values):
    result = 0.0
    for i in prange(values.size):
        result += values[i]
    return result


@njit(parallel=True, cache=True, nogil=True)
def largest(values):
    result = -np.inf
    for i in prange(values.size):
        result = max(result, values[i])
    return result


@njit(parallel=True, cache=True)
def histogram(values):
    result = np.zeros(16, np.int64)
    for i in prange(values.size):
        one = np.zeros(16, np.int64)
        one[int(abs(values[i]) * 3) % 16] = 1
        result += one
    return result


@njit(parallel=True, cache=True)
def visits(rows, columns):
    seen = np.zeros((rows, columns), np.int64)
    for i in prange(rows):
        for j in prange(columns):
            seen[i, j] += i * columns + j + 1
    return seen


@njit(parallel=True, cache=True)
def plane(rows, columns):
    seen = np.zeros((rows, columns), np.int64)
    for point in numba.pndindex((rows, columns)):
        seen[point] += point[0] * columns + point[1] + 1
    return seen


@njit(parallel=True, cache=True)
def nested(rows):
    totals = np.zeros(len(rows))
    for i in prange(len(rows)):
        totals[i] = total(rows[i])
    return totals


@njit(parallel=True, cache=True)
def backwards(n):
    seen = np.zeros(2 * n, np.int64)
    for i in prange(-n, n):
        seen[i + n] += i
    return seen


@njit(parallel=True, cache=True)
def thread_ids(n):
    """For each iteration its thread's id."""
    ids = np.full(n, -1, np.int64)
    for i in prange(n):
        ids[i] = numba.get_thread_id()
    return ids


@njit(parallel=True)  # numba cannot cache what asks for the number of threads
def thread_counts(n):
    """For each iteration what get_num_threads() said there."""
    threads = np.zeros(n, np.int64)
    for i in prange(n):
        threads[i] = numba.get_num_threads()
    return threads


@njit(parallel=True, cache=True)
def exclusive(n, spin):
    """How often two threads with the same id were inside at once."""
    inside = np.zeros(numba.config.NUMBA_NUM_THREADS, np.int64)
    clashes = 0
    for i in prange(n):
        me = numba.get_thread_id()
        inside[me] += 1
        x = 1.0 + i
        for _ in range(spin):
            x = x * 0.999 + 0.1
        inside[me] -= 1
        clashes += (inside[me] != 0) + (x < 0)
    return clashes


def make_ufuncs():
    """The ufunc targets; numba links them where they are made."""

    @vectorize(["float64(float64, float64)"], target="parallel")
    def hypotenuse(a, b):
        return np.sqrt(a * a + b * b)

    @guvectorize(["(float64[:], float64[:])"], "(n)->()", target="parallel")
    def norm(row, result):
        result[0] = np.sqrt((row * row).sum())

    return hypotenuse, norm


def check_all():
    """Run every loop and compare."""
    assert np.isclose(total(VALUES), VALUES.sum())
    assert total(np.ones(1)) == 1.0
    assert total(np.ones(0)) == 0.0
    assert largest(VALUES) == VALUES.max()
    bins = (np.abs(VALUES) * 3).astype(np.int64) % 16
    assert (histogram(VALUES) == np.bincount(bins, minlength=16)).all()
    for rows, columns in ((1, 1), (3, 50), (61, 7)):
        expected = np.arange(1, rows * columns + 1).reshape(rows, columns)
        assert (visits(rows, columns) == expected).all()
        assert (plane(rows, columns) == expected).all()
    rows = VALUES[:9_000].reshape(30, 300)
    assert np.allclose(nested(rows), rows.sum(axis=1))
    assert (backwards(37) == np.arange(-37, 37)).all()
    assert exclusive(64, 100) == 0


def check_ufuncs(hypotenuse, norm):
    a, b = VALUES, VALUES[::-1]
    assert np.allclose(hypotenuse(a, b), np.hypot(a, b))
    assert np.allclose(hypotenuse(a[::3], 2.0), np.hypot(a[::3], 2.0))
    assert hypotenuse(np.ones(0), 1.0).size == 0
    rows = VALUES[:9_000].reshape(90, 100)
    assert np.allclose(norm(rows), np.linalg.norm(rows, axis=1))
    assert np.allclose(norm(rows.reshape(9, 10, 100)).ravel(), np.linalg.norm(rows, axis=1))
