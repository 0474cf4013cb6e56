"""scikit-learn's k-means, many at once: its own OpenMP loops, NumPy's BLAS, and our pool.

One fit after the other, the threads of its OpenMP team wait for each other spinning, which is dear
where other processes want the cores. Fits in Python threads start a team each. With our pool as the
application's pool and the libraries limited to one thread, there are as many threads as cores.
"""

from __future__ import annotations

import argparse
import os
from concurrent.futures import ThreadPoolExecutor
from time import perf_counter, process_time

import numpy as np
from sklearn.cluster import KMeans
from threadpoolctl import ThreadpoolController, threadpool_limits

from threadpool_iface import EigenLikePool, parallel, threadpool

LIBRARIES = ThreadpoolController()


def fit(points: np.ndarray, clusters: int) -> float:
    return KMeans(clusters, n_init=1, random_state=0, max_iter=20).fit(points).inertia_


def one_by_one(points: np.ndarray, jobs: range) -> list[float]:
    return [fit(points, clusters) for clusters in jobs]


def in_threads(points: np.ndarray, jobs: range) -> list[float]:
    with ThreadPoolExecutor(len(jobs)) as executor:
        return list(executor.map(lambda clusters: fit(points, clusters), jobs))


def on_our_pool(points: np.ndarray, jobs: range) -> list[float]:
    inertias = [0.0] * len(jobs)

    def task(ithr: int, nthr: int) -> None:
        # Here, not around the region: OpenMP keeps its limit for each thread.
        with LIBRARIES.limit(limits=1, user_api="openmp"):
            inertias[ithr] = fit(points, jobs[ithr])

    with EigenLikePool() as pool, threadpool(pool), threadpool_limits(1, user_api="blas"):
        parallel(len(jobs), task)
    return inertias


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    quick = parser.parse_args().quick
    points = np.random.default_rng(0).standard_normal((500 if quick else 20_000, 16))
    jobs = range(4, 8 if quick else 12)
    times_of = {way: [] for way in (one_by_one, in_threads, on_our_pool)}
    inertias = {}
    for _ in range(1 if quick else 9):
        for way, times in times_of.items():
            start, cpu = perf_counter(), process_time()
            inertias[way] = way(points, jobs)
            times.append((perf_counter() - start, process_time() - cpu))
    print(f"{len(jobs)} fits on {len(os.sched_getaffinity(0))} cores")
    for way, times in times_of.items():
        wall, cpu = (1e3 * min(column) for column in zip(*times, strict=True))
        print(f"{way.__name__.replace('_', ' '):12} {wall:8.0f} ms, {cpu:8.0f} ms of CPU time")
    same = all(np.allclose(found, inertias[one_by_one]) for found in inertias.values())
    print("results: equal" if same else f"results differ: {inertias}")


if __name__ == "__main__":
    main()
