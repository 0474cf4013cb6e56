"""A batch workload over Dask workers, one on each group of cores, against one process.

    python docs/examples/dask_batches.py --batches 32 --workers 2

A small network looks at each batch: three convolutions, a global average, a matrix. One process
runs batch after batch on a pool of all cores; a cluster runs several at once, each worker on cores
of its own. Both give the same bits. They take turns, and the best of three turns counts.
"""

import argparse
import time
from functools import cache

import numpy as np
from distributed import Client, LocalCluster

from kernels import Conv2d, Matmul, Pool2d
from threadpool_iface import CPUPool, pin
from threadpool_iface.dask import CorePools


@cache
def network(images, size):
    """The primitives, with their weights; each process makes its own once."""
    random = np.random.default_rng(0)

    def layer(src, weights, **more):
        conv = Conv2d(src, weights, padding=1, layout="nhwc", post_ops=("relu",), **more)
        values = random.standard_normal(weights, dtype=np.float32) / (9 * weights[1]) ** 0.5
        return conv, conv.pack_weights(values)

    layers = [
        layer((images, size, size, 3), (32, 3, 3, 3)),
        layer((images, size, size, 32), (64, 32, 3, 3), stride=2),
        layer((images, size // 2, size // 2, 64), (64, 64, 3, 3)),
    ]
    average = Pool2d((images, size // 2, size // 2, 64), size // 2, mode="average", layout="nhwc")
    classify = Matmul((images, 64), (64, 10))
    matrix = classify.pack_weights(random.standard_normal((64, 10), dtype=np.float32))
    return layers, average, classify, matrix


def scores(batch, images, size):
    """What the network says of batch number `batch`, which is made where it is needed."""
    layers, average, classify, matrix = network(images, size)
    x = np.random.default_rng(batch).standard_normal((images, size, size, 3), dtype=np.float32)
    for conv, weights in layers:
        x = conv(x, weights)
    return classify(average(x).reshape(images, 64), matrix)


def best_of(turns, ways):
    """The result of each way, and its shortest time; the ways take turns."""
    seconds = dict.fromkeys(ways, float("inf"))
    found = {}
    for _ in range(turns):
        for way, run in ways.items():
            started = time.perf_counter()
            found[way] = run()
            seconds[way] = min(seconds[way], time.perf_counter() - started)
    return found, seconds


def compare(client, options, cores):
    numbers, shape = range(options.batches), (options.images, options.size)

    def in_this_process():
        with pin(cores):
            return [scores(number, *shape) for number in numbers]

    def on_the_cluster():
        futures = [client.submit(scores, number, *shape, pure=False) for number in numbers]
        return client.gather(futures)

    for worker in client.scheduler_info()["workers"]:  # compile, pack the weights
        client.submit(scores, 0, *shape, workers=[worker], pure=False).result()
    return best_of(options.turns, {
        f"one process on {len(cores)} cores": in_this_process,
        f"{options.workers} workers with {len(cores) // options.workers} each": on_the_cluster,
    })


def main():
    cores = CPUPool.physical()
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batches", type=int, default=32)
    parser.add_argument("--images", type=int, default=16, help="of a batch")
    parser.add_argument("--size", type=int, default=112, help="pixels on each side")
    parser.add_argument("--workers", type=int, default=len(cores))
    parser.add_argument("--turns", type=int, default=3)
    options = parser.parse_args()

    with LocalCluster(n_workers=options.workers, threads_per_worker=1,
                      dashboard_address=None) as cluster, Client(cluster) as client:
        client.register_plugin(CorePools(cores=len(cores) // options.workers, core_ids=cores))
        found, seconds = compare(client, options, cores)
    for way, each in seconds.items():
        print(f"{way}: {options.batches * options.images / each:.0f} images/s")
    alone, together = found.values()
    assert all((a == b).all() for a, b in zip(alone, together, strict=True))


if __name__ == "__main__":
    main()
