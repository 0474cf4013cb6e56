"""`python -m bench.targets [pools|kernels]`: the figures the project holds itself to.

Every row says what was wanted and what was seen, measured in turns; a missed one is printed as
missed. Takes about four minutes on 2 cores.
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
from .shapes import Gemm, gemms, network
from .turns import Table


def _medians(table: Table, jobs: Sequence[tuple[str, Case]], seconds: float) -> list[float]:
    measured = table.measure(list(jobs), BLOCKS, seconds)
    return [m.median for m in measured]


def _geomean(values: Sequence[float]) -> float:
    return exp(sum(map(log, values)) / len(values))


def single_thread_gemm() -> list[Row]:
    """One thread, weights packed beforehand, against NumPy."""
    ratios = []
    with Table(["sequential", "numpy"], 1) as table:
        for shape in gemms():
            ours, numpy = _medians(
                table, [(name, Case("gemm", shape)) for name in table.players], FULL["gemm"])
            ratios.append(numpy / ours)
    return [Row("GEMM on one thread, speed over NumPy, geometric mean of the sizes", 1.0,
                _geomean(ratios), at_most=False)]


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
    "kernels": (single_thread_gemm, two_thread_gemm, lambda: chains(1), lambda: chains(2),
                oversubscribed),
}


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.targets", description=__doc__)
    parser.add_argument("which", nargs="*", choices=[*TARGETS, []], default=[*TARGETS])
    chosen = [target for name in parser.parse_args(argv).which for target in TARGETS[name]]
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
