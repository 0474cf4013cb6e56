"""A softmax of one's own: an njit function of a range of rows is all that a parallel kernel takes.

NumPy goes over the array five times on one thread; the kernel finishes a row while it is in cache,
on as many threads as the pool has.
"""

from __future__ import annotations

import argparse
from time import perf_counter

import numpy as np
from numba import njit

from threadpool_iface import (
    EigenLikePool,
    OmpLikePool,
    SequentialPool,
    parallel_for,
    threadpool,
)


@njit(fastmath=True)
def exp(x: np.float32) -> np.float32:
    """For x from -80 to 0, to 1e-5: calls of the C library's would keep loops from vectors."""
    power = max(x * np.float32(1.44269504), np.float32(-126))
    whole = np.floor(power)
    part = power - whole
    # 2**part: Taylor's series in part * log(2).
    result = np.float32(1.54035304e-4)
    for coefficient in (1.33335581e-3, 9.61812911e-3, 5.55041087e-2, 2.40226507e-1, 6.93147181e-1,
                        1.0):
        result = result * part + np.float32(coefficient)
    return result * np.int32((np.int32(whole) + np.int32(127)) << np.int32(23)).view(np.float32)


@njit(fastmath=True)
def softmax_rows(begin: int, end: int, x: np.ndarray, out: np.ndarray) -> None:
    for row in range(begin, end):
        largest = x[row, 0]
        for column in range(x.shape[1]):
            largest = max(largest, x[row, column])
        total = np.float32(0)
        for column in range(x.shape[1]):
            out[row, column] = exp(x[row, column] - largest)
            total += out[row, column]
        for column in range(x.shape[1]):
            out[row, column] /= total


def softmax(x: np.ndarray) -> np.ndarray:
    out = np.empty_like(x)
    parallel_for(len(x), softmax_rows, x, out)
    return out


def numpy_softmax(x: np.ndarray) -> np.ndarray:
    powers = np.exp(x - x.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    rows, turns = (64, 3) if parser.parse_args().quick else (4096, 100)
    x = np.random.default_rng(0).standard_normal((rows, 1000), dtype=np.float32)
    expected = numpy_softmax(x)
    ways = {"NumPy": (numpy_softmax, None)} | {
        type(pool).__name__: (softmax, pool)
        for pool in (SequentialPool(), OmpLikePool(), EigenLikePool())}
    milliseconds = {way: [] for way in ways}
    for _ in range(turns):
        for way, (call, pool) in ways.items():
            with threadpool(pool):
                start = perf_counter()
                out = call(x)
                milliseconds[way].append(1e3 * (perf_counter() - start))
            assert np.allclose(out, expected, rtol=1e-4, atol=1e-7)
    stock = min(milliseconds["NumPy"])
    for way, times in milliseconds.items():
        print(f"{way:16} {min(times):8.2f} ms  {stock / min(times):.1f} x NumPy's speed")
    print("results: equal to NumPy's within rounding")


if __name__ == "__main__":
    main()
