"""A stencil called from eight Python threads at once, as a server calls it for eight clients.

numba's `workqueue` ends the process when two threads call it, `omp` starts a team of threads for
each caller, which wait for each other spinning. Callers of our pools share one set of threads.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
from layers import compare
from numba import njit, prange

CALLERS = 8


@njit(parallel=True, cache=True, nogil=True)
def smooth(grid: np.ndarray, out: np.ndarray) -> None:
    for i in prange(1, grid.shape[0] - 1):
        for j in range(1, grid.shape[1] - 1):
            out[i, j] = 0.5 * grid[i, j] + 0.125 * (
                grid[i - 1, j] + grid[i + 1, j] + grid[i, j - 1] + grid[i, j + 1])


def client(size: int, steps: int) -> np.ndarray:
    """One client's work: a picture, smoothed again and again."""
    grid = np.zeros((size, size))
    grid[size // 2] = 1.0
    out = grid.copy()
    for _ in range(steps):
        smooth(grid, out)
        grid, out = out, grid
    return grid


def prepare(quick: bool):
    steps = 3 if quick else 20
    client(8, 1)  # one thread compiles it
    clients = ThreadPoolExecutor(CALLERS)
    return lambda: list(clients.map(lambda _: client(256, steps), range(CALLERS)))


if __name__ == "__main__":
    compare(prepare)
