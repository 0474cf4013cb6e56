"""The examples of Intel's extension for PyTorch, `ipex.cpu.runtime`, beside plain PyTorch.

The extension split batches over streams, ran modules side by side and pinned blocks of code. It is
discontinued. Here its examples run with the PyTorch that pip installs, and nothing is preloaded.
Each is timed in turns with plain PyTorch, which uses all its threads for one call after the other.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from statistics import median
from time import perf_counter
from typing import Any

from threadpool_iface import CPUPool, Hint, MultiStream, Task, pin

try:
    import torch
    from torch import nn
except ModuleNotFoundError:
    sys.exit("torch_streams.py needs PyTorch: pip install torch")

#: Values that a network gives for each image.
FEATURES = 64
#: After that time no more turns begin, but a median needs some. Both are guesses.
SECONDS, LEAST_TURNS = 3.0, 5


class Block(nn.Module):
    """Two convolutions and a way around them."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.convolutions = nn.Sequential(
            nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False),
            nn.BatchNorm2d(outputs), nn.ReLU(),
            nn.Conv2d(outputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs))
        self.around = nn.Conv2d(inputs, outputs, 1, stride, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(self.convolutions(x) + self.around(x))


class Network(nn.Sequential):
    """A small ResNet."""

    def __init__(self) -> None:
        super().__init__(
            nn.Conv2d(3, 32, 3, stride=2, padding=1), nn.ReLU(),
            Block(32, 32, 1), Block(32, 64, 2), Block(64, 64, 1), Block(64, 128, 2),
            nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(128, FEATURES))


class Pairs(nn.Module):
    """Several inputs and outputs: pairs of images, and patterns to compare each pair with."""

    def __init__(self) -> None:
        super().__init__()
        self.network = Network()

    def forward(self, left: torch.Tensor, right: torch.Tensor, patterns: torch.Tensor
                ) -> tuple[torch.Tensor, torch.Tensor]:
        difference = self.network(left) - self.network(right)
        return difference, patterns @ difference.T  # the pairs are axis 0, and axis 1


def traced(module: nn.Module, *inputs: torch.Tensor) -> torch.jit.ScriptModule:
    """For inference; frozen weights have no gradients."""
    return torch.jit.freeze(torch.jit.trace(module.eval(), inputs))


class Comparison:
    """Times two ways to compute the same, and prints them as a row of a table."""

    def __init__(self, turns: int) -> None:
        self._turns = turns
        print(f"{'':34}{'plain torch':>12}{'ours':>12}   ours/plain   torch's threads in ours")

    def row(self, what: str, plain: Callable[[], Any], ours: Callable[[], Any], threads: object
            ) -> None:
        ways = (plain, ours)
        for _ in range(3):  # PyTorch optimises a traced module in its first calls
            torch.testing.assert_close(ours(), plain(), rtol=1e-4, atol=1e-6)
        times: tuple[list[float], list[float]] = ([], [])
        begin = perf_counter()
        for turn in range(self._turns):
            # Beside busy processes plain PyTorch's calls may take forty times as long.
            if turn >= LEAST_TURNS and perf_counter() - begin > SECONDS:
                break
            for way, of_way in zip(ways, times, strict=True):
                way()  # not timed: threads of the other way may still spin
                for _ in range(2):
                    start = perf_counter()
                    way()
                    of_way.append(1e3 * (perf_counter() - start))
        alone, own = map(median, times)
        print(f"{what:34}{alone:9.2f} ms{own:9.2f} ms{own / alone:11.2f}    {threads}")


def threads_in_streams(streams: int, cores: CPUPool) -> list[int]:
    """How many threads PyTorch has in each stream: one for each of the stream's cores."""
    with MultiStream(lambda part: torch.get_num_threads(), streams, cores,
                     concat_output=False) as stream:
        threads = stream(torch.empty(streams))
    assert threads == [len(share) for share in cores.split(streams)]
    return threads


def one_input_and_output(comparison: Comparison, images: torch.Tensor, streams: int, cores: CPUPool
                         ) -> None:
    model = traced(Network(), images)
    with MultiStream(model, streams, cores) as stream:
        comparison.row("MultiStream, one input and output", lambda: model(images),
                       lambda: stream(images), threads_in_streams(streams, cores))


def several_inputs_and_outputs(comparison: Comparison, images: torch.Tensor, streams: int,
                               cores: CPUPool) -> None:
    inputs = images, images.flip(3), torch.rand(10, FEATURES)
    model = traced(Pairs(), *inputs)
    # Every stream gets all patterns.
    with MultiStream(model, streams, cores, input_hint=Hint(0, 0, None), output_hint=Hint(0, 1)
                     ) as stream:
        comparison.row("MultiStream, several, with hints", lambda: model(*inputs),
                       lambda: stream(*inputs), threads_in_streams(streams, cores))


def two_modules(comparison: Comparison, images: torch.Tensor, cores: CPUPool) -> None:
    models = [traced(Network(), images) for _ in range(2)]
    parts = cores.split(min(2, len(cores)))  # a single core is shared
    with Task(models[0], parts[0]) as first, Task(models[1], parts[-1]) as second:

        def at_the_same_time() -> list[torch.Tensor]:
            futures = [first(images), second(images)]
            return [future.result() for future in futures]

        threads = []
        for part in (parts[0], parts[-1]):
            with Task(torch.get_num_threads, part) as ask:
                threads.append(ask().result())
            assert threads[-1] == len(part)
        comparison.row("Task, two modules", lambda: [model(images) for model in models],
                       at_the_same_time, threads)


def pinned(comparison: Comparison, images: torch.Tensor, cores: CPUPool) -> None:
    model = traced(Network(), images)

    def in_a_block() -> torch.Tensor:
        with pin(cores):
            return model(images)

    @pin(cores)
    def decorated() -> torch.Tensor:
        return model(images)

    threads = pin(cores)(torch.get_num_threads)()
    assert threads == len(cores)
    comparison.row("pin, a block", lambda: model(images), in_a_block, threads)
    comparison.row("pin, a decorated function", lambda: model(images), decorated, threads)


def main() -> None:
    cores = CPUPool.physical()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--streams", type=int, default=min(2, len(cores)))
    options = parser.parse_args()
    torch.manual_seed(0)
    images = torch.rand(4 if options.quick else 16, 3, 32 if options.quick else 64, 64)
    print(f"PyTorch {torch.__version__} with {torch.get_num_threads()} threads, "
          f"{len(cores)} cores, batches of {len(images)}, medians in turns")
    comparison = Comparison(1 if options.quick else 15)
    one_input_and_output(comparison, images, options.streams, cores)
    several_inputs_and_outputs(comparison, images, options.streams, cores)
    two_modules(comparison, images, cores)
    pinned(comparison, images, cores)
    print("results: equal to plain PyTorch's within rounding")


if __name__ == "__main__":
    main()
