"""`python -m bench.streams`: a batch split over streams, against one stream of all cores.

ResNet-50 v1.5's convolutions, each of the 53 with weights of its own, at batch 8: on one stream of
all cores, on streams of one core, and on as many as `MultiStream("auto")` finds; then what
splitting and joining cost beside the slowest stream. In turns; figures are medians, and ratios of
medians. Takes about two minutes on 2 cores.
"""

from __future__ import annotations

import argparse
import sys
import threading
from collections.abc import Callable, Sequence
from functools import cache
from math import prod
from random import Random
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np

from kernels import Conv2d
from threadpool_iface import CPUPool, Hint, MultiStream, get_max_threads

from .cases import conv_operands
from .shapes import Conv, network

NETWORK = "ResNet-50 v1.5"


@cache
def _primitive(layer: Conv, items: int, threads: int) -> Conv2d:
    """Created for the pool it runs on."""
    return Conv2d((items, layer.ih, layer.iw, layer.ic),
                  (layer.oc, layer.ic // layer.g, layer.kh, layer.kw), layout="nhwc",
                  stride=(layer.sh, layer.sw), padding=(layer.ph, layer.pw), groups=layer.g)


class Stack:
    """All convolutions of the network on a batch of sources, one for each distinct layer."""

    def __init__(self, batch: int) -> None:
        self._layers = network(NETWORK)
        self.sources: list[np.ndarray] = []
        self._weights: list[list[Any]] = []
        for layer in self._layers:
            src, weights = conv_operands(layer)
            images = np.concatenate([src.transpose(0, 2, 3, 1)[:1]] * batch)
            self.sources.append(np.ascontiguousarray(images))
            pack = _primitive(layer, batch, 1).pack_weights
            self._weights.append([pack(weights) for _ in range(layer.count)])
        self._mine = threading.local()

    def __call__(self, *sources: np.ndarray) -> np.ndarray:
        result = sources[0]
        for layer, source, each in zip(self._layers, sources, self._weights, strict=True):
            conv = _primitive(layer, len(source), get_max_threads())
            out = self._memory_for(conv.descriptor.out_shape)
            for weights in each:
                result = conv(source, weights, out=out)
        return result

    def _memory_for(self, shape: tuple[int, ...]) -> np.ndarray:
        """The stream's, for all its layers: fresh pages would be a third of the time."""
        size = prod(shape)
        memory = getattr(self._mine, "memory", None)
        if memory is None or memory.size < size:
            memory = self._mine.memory = np.empty(size, np.float32)
        return memory[:size].reshape(shape)


def in_turns(calls: dict[str, Callable[[], Any]], rounds: int) -> dict[str, list[float]]:
    """Seconds of each call, after one that is not counted."""
    for call in calls.values():
        call()
    times: dict[str, list[float]] = {name: [] for name in calls}
    names, order = list(calls), Random(0)
    for _ in range(rounds):
        order.shuffle(names)  # so that none always follows the same other one
        for name in names:
            start = perf_counter()
            calls[name]()
            times[name].append(perf_counter() - start)
    return times


def compare(batch: int, rounds: int) -> None:
    """The stack on every sensible number of streams, beside "auto"."""
    stack, cores = Stack(batch), len(CPUPool())
    counts = sorted({1, min(cores, batch), *(n for n in (2, 4, 8) if n <= min(cores, batch))})
    streams = {f"{n} x {cores // n} cores": MultiStream(stack, n) for n in counts}
    streams["auto"] = auto = MultiStream(stack)
    times = in_turns({name: lambda stream=stream: stream(*stack.sources)
                      for name, stream in streams.items()}, rounds)
    seconds = {name: median(each) for name, each in times.items()}
    best = min(seconds[name] for name in seconds if name != "auto")
    print(f"{NETWORK}, batch {batch}: {sum(layer.count for layer in network(NETWORK))} "
          "convolutions, ms for a batch and ratio to the best fixed number of streams")
    for name, each in seconds.items():
        print(f"  {name:<14} {1e3 * each:8.1f}   {each / best:.3f}")
    print(f"  auto found {auto.choices}")
    for stream in streams.values():
        stream.close()


def overhead(calls: int) -> None:
    """Microseconds of a call beyond those of its slowest stream, which computes for 1 ms."""
    import numba

    @numba.njit(nogil=True)  # type: ignore[untyped-decorator]
    def steps(n: int) -> float:
        total = 0.0
        for i in range(n):
            total += np.sqrt(total + i)
        return total

    steps(1)
    start = perf_counter()
    steps(1_000_000)
    length = int(1e6 * 1e-3 / (perf_counter() - start))
    inside: list[float] = []

    def work(x: np.ndarray) -> np.ndarray:
        start = perf_counter()
        steps(length)
        inside.append(perf_counter() - start)
        return x

    x = np.ones((8, 16), np.float32)
    print("us of a call beyond its slowest stream, which computes for 1 ms: 10th percentile, which "
          "others disturb least, median, 90th")
    for count in range(1, len(CPUPool()) + 1):
        beyond = []
        with MultiStream(work, count, input_hint=Hint(0)) as stream:
            for _ in range(calls):
                inside.clear()
                start = perf_counter()
                stream(x)
                beyond.append(perf_counter() - start - max(inside))
        tenth, middle, ninetieth = 1e6 * np.percentile(beyond, [10, 50, 90])
        print(f"  {count} streams   {tenth:8.1f} {middle:8.1f} {ninetieth:8.1f}")


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.streams", description=__doc__)
    parser.add_argument("--batch", type=int, default=8, metavar="N")
    parser.add_argument("--rounds", type=int, default=21, metavar="N")
    options = parser.parse_args(argv)
    overhead(1000)
    compare(options.batch, options.rounds)
    return 0


if __name__ == "__main__":
    sys.exit(main())
