"""`python -m bench.targets [pools|kernels]`: the figures the project holds itself to.

Every row says what was wanted and what was seen, measured in turns; a missed one is printed as
missed. Takes about ten minutes on 2 cores.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Callable, Sequence
from math import exp, log
from statistics import median
from time import perf_counter

import numpy as np
from rich.console import Console
from rich.progress import Progress

from .cases import Case
from .contenders import missing
from .pool_targets import BLOCKS, Row
from .pool_targets import TARGETS as POOL_TARGETS
from .sections import FULL
from .shapes import Gemm, gemms, network, skinny
from .turns import Table


def _medians(table: Table, jobs: Sequence[tuple[str, Case]], seconds: float) -> list[float]:
    measured = table.measure(list(jobs), BLOCKS, seconds)
    return [m.median for m in measured]


def _geomean(values: Sequence[float]) -> float:
    return exp(sum(map(log, values)) / len(values))


#: Speed over a peer, geometric mean of the shapes, on one thread and on two; PyTorch's is MKL's.
GEMM_LIMITS = {"numpy": (1.15, 1.2), "torch": (1.08, 1.1)}
WORST_GEMM = 0.90


def gemm(threads: int) -> list[Row]:
    """Squares, layers and skinny products, weights packed beforehand."""
    ours = "sequential" if threads == 1 else "omp"
    peers = [name for name in GEMM_LIMITS if not missing(name)]
    ratios: dict[str, dict[str, float]] = {name: {} for name in peers}
    with Table([ours, *peers], threads) as table:
        for shape in (*gemms(), Gemm(2048, 2048, 2048), *skinny()):
            own, *others = _medians(
                table, [(name, Case("gemm", shape)) for name in table.players], FULL["gemm"])
            for name, seconds in zip(peers, others, strict=True):
                ratios[name][str(shape)] = seconds / own
    rows = []
    for name, by_shape in ratios.items():
        where = f"GEMM, {len(by_shape)} shapes, {threads} thread{'s' * (threads > 1)}, speed over "
        peer = {"numpy": "NumPy/OpenBLAS", "torch": "PyTorch/MKL"}[name]
        worst = min(by_shape, key=by_shape.__getitem__)
        rows += [Row(f"{where}{peer}, geometric mean", GEMM_LIMITS[name][threads - 1],
                     _geomean(list(by_shape.values())), at_most=False),
                 Row(f"{where}{peer}, worst shape, {worst}", WORST_GEMM, by_shape[worst],
                     at_most=False)]
    return rows


def two_thread_gemm() -> list[Row]:
    """How GEMM scales on two threads, against multiply-adds on registers only."""
    sizes = [Gemm(n, n, n) for n in (512, 1024)]
    rows = []
    with Table(["sequential", "omp", "eigen"], 2) as table:
        one, *peaks = _medians(table, [(n, Case("peak")) for n in table.players], 0.05)
        for shape in sizes:
            alone, *both = _medians(
                table, [(n, Case("gemm", shape)) for n in table.players], FULL["gemm"])
            rows += [Row(f"{shape} on two threads, {name}: scaling / that of a register-only loop "
                         f"({one / peak:.2f}x)", 0.92, alone / seconds / (one / peak), False)
                     for name, peak, seconds in zip(("omp", "eigen"), peaks, both, strict=True)]
    return rows


#: Of the best peer taken layer by layer.
CHAIN_LIMITS = {"ResNet-50 v1.5": 0.80, "GoogLeNet v1": 0.70, "Inception v4": 0.80}
CHAIN_PEERS = ("torch", "torch-prepacked", "onnxruntime")
WORST_LAYER = 1.15
CHAIN_BLOCKS = 5


def chains(threads: int) -> list[Row]:
    """A network's convolutions one after the other, each layer with weights of its own."""
    peers = [name for name in CHAIN_PEERS if not missing(name)]
    pools = ["sequential"] if threads == 1 else ["omp", "eigen"]
    if not peers:
        return []
    rows = []
    with Table([*pools, *peers], threads) as table:
        for net, limit in CHAIN_LIMITS.items():
            jobs = [(name, Case("chain", body=net)) for name in table.players]
            layers = {m.contender: np.median(m.layers, axis=0)
                      for m in table.measure(jobs, CHAIN_BLOCKS, 0.05)}
            best = np.min([layers[name] for name in peers], axis=0)
            names = [layer.name for layer in network(net) for _ in range(layer.count)]
            for name in pools:
                ratios = layers[name] / best
                worst = int(ratios.argmax())
                where = f"{net}, {threads} thread{'s' * (threads > 1)}, {name}"
                rows += [Row(f"{where}: convolutions / best peer layer by layer "
                             f"({1e3 * best.sum():.1f} ms)", limit,
                             float(layers[name].sum() / best.sum())),
                         Row(f"{where}: worst layer, {names[worst]} "
                             f"({1e6 * best[worst]:.0f} us)", WORST_LAYER, float(ratios[worst]))]
    return rows


def chain_scaling() -> list[Row]:
    """Whole networks on two threads against one, and a register-only loop in the same run."""
    rows = []
    with Table(["sequential", "omp", "eigen"], 2) as table:
        for net in CHAIN_LIMITS:
            one, *peaks = _medians(table, [(n, Case("peak")) for n in table.players], 0.05)
            jobs = [(name, Case("chain", body=net)) for name in table.players]
            alone, *both = (m.median for m in table.measure(jobs, CHAIN_BLOCKS, 0.05))
            rows += [Row(f"{net} on two threads, {name}: scaling / that of a register-only loop "
                         f"({one / peak:.2f}x)", 0.95, alone / seconds / (one / peak), False)
                     for name, peak, seconds in zip(("omp", "eigen"), peaks, both, strict=True)]
    return rows


_FIRST = """
import resource, time
import numpy as np
from kernels import {name}
start = time.perf_counter()
primitive = {make}
print(time.perf_counter() - start)
src, weights = (np.ones(shape, np.float32) for shape in {shapes})
primitive(src, weights)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


def creation() -> list[Row]:
    """The first primitive of a process, the disk cache warm, and what such a process needs."""
    conv = _FIRST.format(name="Conv2d", shapes="((1, 28, 28, 64), (64, 64, 3, 3))", make=(
        "Conv2d((1, 28, 28, 64), (64, 64, 3, 3), padding=1, layout='nhwc')"))
    product = _FIRST.format(name="Matmul", make="Matmul((256, 256), (256, 256))",
                            shapes="((256, 256), (256, 256))")
    rows = []
    for what, script in (("Matmul", product), ("convolution", conv)):
        runs = [_numbers(script) for _ in range(7)][1:]
        seconds, megabytes = (median(values) for values in zip(*runs, strict=True))
        rows += [Row(f"first {what} of a process, warm disk cache: creation, ms", 20.0,
                     1e3 * seconds),
                 Row(f"peak memory of a process with one {what}, MiB", 150.0, megabytes)]
    return rows


def _numbers(script: str) -> list[float]:
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True,
                          text=True)
    return [float(line) for line in done.stdout.split()]


def oversubscribed() -> list[Row]:
    """A pool of 8 on two cores, each primitive created under the pool that runs it."""
    rows = []
    with Table(["omp", "omp-8", "eigen", "eigen-8"], 2) as table:
        for size in (256, 1024):
            shape = Gemm(size, size, size)
            omp, omp8, eigen, eigen8 = _medians(
                table, [(n, Case("gemm", shape)) for n in table.players], FULL["gemm"])
            rows += [Row(f"{shape}, OmpLikePool(8) / OmpLikePool(2)", 1.2, omp8 / omp),
                     Row(f"{shape}, EigenLikePool(8) / EigenLikePool(2)", 1.2, eigen8 / eigen)]
    return rows


def import_time() -> list[Row]:
    """What importing costs beyond NumPy, in 20 alternating processes."""
    seconds: dict[str, list[float]] = {"numpy": [], "numpy, threadpool_iface": []}
    for _ in range(20):
        for modules, times in seconds.items():
            start = perf_counter()
            subprocess.run([sys.executable, "-c", f"import {modules}"], check=True)
            times.append(perf_counter() - start)
    numpy, both = (median(times) for times in seconds.values())
    return [Row("import threadpool_iface, ms beyond NumPy's", 30.0, 1e3 * (both - numpy))]


TARGETS: dict[str, tuple[Callable[[], list[Row]], ...]] = {
    "pools": (*POOL_TARGETS, import_time),
    "kernels": (lambda: gemm(1), lambda: gemm(2), two_thread_gemm, lambda: chains(1),
                lambda: chains(2), chain_scaling, creation, oversubscribed),
}


def _group(name: str) -> str:
    """Checked here: argparse of Python 3.11 refuses no group at all where it has `choices`."""
    if name not in TARGETS:
        raise argparse.ArgumentTypeError(f"no group {name!r}; there are {', '.join(TARGETS)}")
    return name


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.targets", description=__doc__)
    parser.add_argument("which", nargs="*", type=_group, metavar="|".join(TARGETS),
                        help="groups of figures (default: all)")
    which = parser.parse_args(argv).which or [*TARGETS]
    chosen = [target for name in which for target in TARGETS[name]]
    console = Console()
    rows: list[Row] = []
    with Progress(console=console) as progress:
        bar = progress.add_task("measuring", total=len(chosen))
        for target in chosen:
            rows += target()
            progress.advance(bar)
    for row in rows:
        console.print(str(row), highlight=False, soft_wrap=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
