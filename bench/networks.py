"""`python -m bench.networks`: convolutions of whole networks in ms, images/s and share of peak.

ResNet-50 v1.5, GoogLeNet v1 and Inception v4, as chains with weights of their own, batch 1 and 16,
on one thread and on all. The peak is what a register-only loop of multiply-adds reaches in the same
run; a share above 1 is Winograd's, which multiplies less than the direct sum that is counted.
Draws a roofline of our layers at batch 1. Takes about a quarter of an hour on 2 cores.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import Progress
from rich.table import Table as Grid

from threadpool_iface import default_num_threads

from .cases import Case
from .console import wide_console
from .contenders import missing
from .native import FLOPS_PER_STEP, PEAK_STEPS
from .outputs import write_json
from .sections import Group
from .shapes import NETWORKS, Conv, network
from .tables import label
from .turns import ContenderError, Measurement, Table

PEERS = ("torch-nchw", "torch", "torch-prepacked", "onnxruntime")


@dataclass
class Run:
    """A network at one batch size on so many threads, and the peak of those threads."""

    group: Group
    batch: int
    threads: int
    peak: float = 0.0  # floating-point operations in a second


def layers(net: str) -> list[Conv]:
    return [layer for layer in network(net) for _ in range(layer.count)]


def plan(quick: bool) -> list[Run]:
    nets = ["GoogLeNet v1"] if quick else list(NETWORKS)
    peers = [name for name in PEERS if not missing(name)]
    runs = []
    for threads in sorted({1, default_num_threads()}):
        ours = ["sequential"] if threads == 1 else ["omp", "eigen"]
        for net in nets:
            flops = sum(layer.flops for layer in layers(net))
            for batch in (1,) if quick else (1, 16):
                jobs = [(name, Case("chain", body=net, batch=batch)) for name in (*ours, *peers)]
                text = f"batch {batch}, {threads} thread{'s' * (threads > 1)}"
                runs.append(Run(Group("networks", net, text, 1, batch * flops, jobs), batch,
                                threads))
    return runs


def measure(runs: Sequence[Run], quick: bool, console: Console) -> None:
    with Progress(console=console) as progress:
        bar = progress.add_task("", total=len(runs))
        for run in runs:
            progress.update(bar, description=f"{run.group.network}, {run.group.label}")
            names = [name for name, _ in run.group.jobs]
            with Table(names, run.threads) as table:
                (peak,) = table.measure([(names[0], Case("peak"))], 3, 0.02)
                run.group.measurements = table.measure(run.group.jobs, 3 if quick else 5, 0.01)
            run.peak = run.threads * PEAK_STEPS * FLOPS_PER_STEP / (peak.median * run.threads)
            progress.advance(bar)


def grid(runs: Sequence[Run]) -> Grid:
    names = list(dict.fromkeys(name for run in runs for name, _ in run.group.jobs))
    table = Grid(title="Convolutions in a chain: ms, images/s, share of the peak",
                 title_justify="left")
    for heading in ("", *(label(name) for name in names)):
        table.add_column(heading, justify="right" if heading else "left")
    for run in runs:
        mine = {m.contender: m.median for m in run.group.measurements}
        cells = [f"{1e3 * mine[n]:.1f}\n[dim]{run.batch / mine[n]:.0f}/s, "
                 f"{run.group.flops / mine[n] / run.peak:.2f}[/]" if n in mine else ""
                 for n in names]
        table.add_row(f"{run.group.network}\n[dim]{run.group.label}[/]", *cells)
    return table


# -- the roofline ----------------------------------------------------------------------------------


def _intensity(layer: Conv) -> float:
    """Operations for each byte of source, weights and output, each counted once."""
    source = layer.ic * layer.ih * layer.iw
    weights = layer.oc * layer.ic // layer.g * layer.kh * layer.kw
    return layer.flops / (4.0 * (source + weights + layer.oc * layer.oh * layer.ow))


def _rate(measurement: Measurement, net: str) -> np.ndarray:
    seconds = np.median(measurement.layers, axis=0)
    return np.array([layer.flops for layer in layers(net)]) / seconds


def _bandwidth() -> float:
    """Of one core's copies from and to memory."""
    from kernels import calibration

    return calibration.measure()["copy_bytes_per_second"]["memory"]


def draw(path: Path, runs: Sequence[Run]) -> None:
    """Every layer at batch 1 on one thread: ours, and the fastest peer's."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt
    from matplotlib.ticker import LogLocator, NullFormatter, ScalarFormatter

    chosen = [run for run in runs if run.batch == 1 and run.threads == 1]
    figure, ax = plt.subplots(figsize=(9, 6), layout="constrained")
    bandwidth, peak = _bandwidth(), float(np.median([run.peak for run in chosen]))
    x = np.geomspace(1, 1000, 200)
    ax.plot(x, np.minimum(peak, bandwidth * x) / 1e9, color="black",
            label=f"multiply-adds in registers {peak / 1e9:.0f} GFLOP/s, memory "
                  f"{bandwidth / 1e9:.0f} GB/s")
    for colour, run in zip(("#1565c0", "#ef6c00", "#2e7d32"), chosen, strict=False):
        net = run.group.network
        ours, *peers = run.group.measurements
        at = [_intensity(layer) for layer in layers(net)]
        ax.scatter(at, _rate(ours, net) / 1e9, s=18, color=colour, label=f"{net}, ours")
        if peers:
            best = np.max([_rate(peer, net) for peer in peers], axis=0)
            ax.scatter(at, best / 1e9, s=18, marker="x", color=colour, alpha=0.5,
                       label=f"{net}, best peer of each layer")
    ax.set(xscale="log", yscale="log", xlabel="operations for each byte of operands",
           ylabel="GFLOP/s, as if computed directly",
           title="Convolution layers at batch 1 on one thread")
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.set_major_formatter(ScalarFormatter())
        axis.set_minor_formatter(NullFormatter())
    ax.legend(fontsize=8, frameon=False)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.networks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one network, batch 1")
    parser.add_argument("--output", type=Path, default=Path("bench-results"), metavar="DIR",
                        help="folder for the JSON and the picture (default: %(default)s)")
    options = parser.parse_args(argv)
    console = wide_console(170)
    runs = plan(options.quick)
    try:
        measure(runs, options.quick, console)
    except (ContenderError, RuntimeError) as error:
        print(f"python -m bench.networks: {error}", file=sys.stderr)
        return 1
    console.print(grid(runs))
    options.output.mkdir(parents=True, exist_ok=True)
    write_json(options.output / "networks.json", [run.group for run in runs])
    draw(options.output / "roofline.png", runs)
    console.print(f"picture {options.output / 'roofline.png'}", highlight=False, soft_wrap=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
