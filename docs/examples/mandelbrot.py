"""A Mandelbrot set, row by row: rows that cross the set cost a hundred times what others do.

numba's own layers give each thread as many rows as the next; on our pools, threads that are done
take more. The loop is plain `prange` and does not know where it runs.
"""

from __future__ import annotations

import numpy as np
from layers import compare
from numba import njit, prange


@njit(parallel=True, cache=True)
def mandelbrot(width: int, height: int, most: int) -> np.ndarray:
    counts = np.zeros((height, width), np.int32)
    for row in prange(height):
        # A view off the real axis, as one zooms in: a symmetrical one would halve by chance.
        y = -0.2 + 1.4 * row / height
        for column in range(width):
            x = -2.0 + 2.5 * column / width
            re, im, n = 0.0, 0.0, 0
            while n < most and re * re + im * im < 4.0:
                re, im, n = re * re - im * im + x, 2.0 * re * im + y, n + 1
            counts[row, column] = n
    return counts


def prepare(quick: bool):
    size = 96 if quick else 320
    return lambda: mandelbrot(size, size, 200)


if __name__ == "__main__":
    compare(prepare)
