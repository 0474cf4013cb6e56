"""Distances of all pairs of points: row i has i of them, so the last rows are the long ones.

Shared out evenly by rows, on two threads one has three times the other's work. On our pools threads
take up pieces of the loop as they get free.
"""

from __future__ import annotations

import numpy as np
from layers import compare
from numba import njit, prange


@njit(parallel=True, cache=True)
def distances(points: np.ndarray) -> np.ndarray:
    """What `scipy.spatial.distance.pdist` gives, in the order of the lower triangle."""
    n = len(points)
    result = np.empty(n * (n - 1) // 2)
    for i in prange(n):
        start = i * (i - 1) // 2
        for j in range(i):
            total = 0.0
            for k in range(points.shape[1]):
                total += (points[i, k] - points[j, k]) ** 2
            result[start + j] = np.sqrt(total)
    return result


def prepare(quick: bool):
    points = np.random.default_rng(0).standard_normal((300 if quick else 1500, 8))
    return lambda: distances(points)


if __name__ == "__main__":
    compare(prepare)
