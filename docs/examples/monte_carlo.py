"""The price of an option by Monte Carlo: the same bits for any number of threads.

Path i draws its numbers from i, and `parallel_reduce` cuts the paths into chunks that do not depend
on the pool and adds up their sums in order. A `prange` sum of the same numbers depends on how many
threads there were and which was faster.
"""

from __future__ import annotations

import argparse
from time import perf_counter

import numpy as np
from numba import njit, prange

from threadpool_iface import EigenLikePool, OmpLikePool, numba_layer, parallel_reduce, threadpool


@njit
def uniform(i: int) -> float:
    """The i-th number of SplitMix64 in (0, 1]: no state, so any thread can draw any of them."""
    z = np.uint64(i + 1) * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return (np.float64((z ^ (z >> np.uint64(31))) >> np.uint64(11)) + 1.0) / 2.0**53


@njit
def payoff(path: int) -> float:
    """A call at 100 on a price of 100 a year ahead, 5 % interest, volatility 20 %."""
    normal = np.sqrt(-2 * np.log(uniform(2 * path))) * np.cos(2 * np.pi * uniform(2 * path + 1))
    return np.exp(-0.05) * max(0.0, 100.0 * np.exp(0.05 - 0.02 + 0.2 * normal) - 100.0)


@njit
def payoffs(begin: int, end: int, total: float) -> float:
    for path in range(begin, end):
        total += payoff(path)
    return total


@njit
def add(a: float, b: float) -> float:
    return a + b


@njit(parallel=True)
def payoffs_by_prange(n: int) -> float:
    total = 0.0
    for path in prange(n):
        total += payoff(path)
    return total


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    n = 20_000 if parser.parse_args().quick else 4_000_000
    numba_layer.install()
    parallel_reduce(10, payoffs, 0.0, combine=add)  # compiles
    reduced, ranged = [], []
    for kind in (OmpLikePool, EigenLikePool):
        for size in (1, 2, 3, 8):
            with kind(size) as pool, threadpool(pool):
                start = perf_counter()
                reduced.append(parallel_reduce(n, payoffs, 0.0, combine=add) / n)
                milliseconds = 1e3 * (perf_counter() - start)
                ranged.append(payoffs_by_prange(n) / n)
            print(f"{kind.__name__}({size})".ljust(18), f"{milliseconds:8.1f} ms  {reduced[-1]!r}")
    print(f"different prices: {len(set(reduced))} by parallel_reduce, {len(set(ranged))} by prange")


if __name__ == "__main__":
    main()
