"""The heat equation on a plate: a numba program that knows nothing of our pools.

Run it on them as it is, in docs/examples:

    THREADPOOL_IFACE_POOL=eigen python -m threadpool_iface.numba_layer heat_equation.py
"""

import argparse
import time

import numpy as np
from numba import njit, prange


@njit(parallel=True, cache=True)
def step(now, after, conductivity):
    rows, columns = now.shape
    change = 0.0
    for i in prange(1, rows - 1):
        largest = 0.0
        for j in range(1, columns - 1):
            flow = now[i - 1, j] + now[i + 1, j] + now[i, j - 1] + now[i, j + 1] - 4 * now[i, j]
            after[i, j] = now[i, j] + conductivity * flow
            largest = max(largest, abs(conductivity * flow))
        change = max(change, largest)
    return change


def plate(size):
    """A cold plate with one hot edge."""
    temperatures = np.zeros((size, size))
    temperatures[0] = 100.0
    return temperatures


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true")
    quick = parser.parse_args().quick
    size, steps = (64, 50) if quick else (256, 2000)
    now, after = plate(size), plate(size)
    step(now, after, 0.2)  # compiles
    start = time.perf_counter()
    for _ in range(steps):
        change = step(now, after, 0.2)
        now, after = after, now
    seconds = time.perf_counter() - start
    print(f"{steps} steps: mean {now.mean():.17g}, last change {change:.17g}")
    print(f"{1e6 * seconds / steps:.1f} us for a step")


if __name__ == "__main__":
    main()
