"""What a run leaves behind: pytest-benchmark's own JSON, and one picture."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import matplotlib
import pytest_benchmark
from pytest_benchmark.plugin import pytest_benchmark_generate_machine_info
from pytest_benchmark.stats import Stats
from pytest_benchmark.utils import get_commit_info

matplotlib.use("Agg")
from matplotlib import pyplot as plt

from .sections import BOUNDS, Group
from .tables import label, totals
from .turns import Measurement

COLOURS = {"sequential": "#9e9e9e", "omp": "#1565c0", "omp-dynamic": "#64b5f6",
           "eigen": "#ef6c00", "numpy": "#4caf50", "prange": "#ba68c8", "libgomp": "#795548",
           "libgomp-dynamic": "#bcaaa4", "torch": "#d32f2f", "torch-nchw": "#e57373",
           "torch-prepacked": "#b71c1c", "onnxruntime": "#00897b", "libomp": "#283593",
           "libomp-dynamic": "#9fa8da", "libiomp5": "#0097a7", "tbb": "#558b2f",
           "tbb-auto": "#aed581", "eigen-ref": "#ffb74d"}


def previous(path: Path) -> Path:
    """Where the run before is kept."""
    return path.with_suffix(".previous.json")


def write_json(path: Path, groups: Sequence[Group]) -> None:
    """Every block's seconds per call, in the format `pytest-benchmark compare` reads.

    The file of the run before is kept beside it.
    """
    if path.exists():
        path.replace(previous(path))
    document = {
        "machine_info": pytest_benchmark_generate_machine_info(),
        "commit_info": get_commit_info(),
        "benchmarks": [_benchmark(g, m) for g in groups for m in g.measurements],
        "datetime": datetime.now(UTC).isoformat(),
        "version": pytest_benchmark.__version__,
    }
    path.write_text(json.dumps(document, indent=1))


def _benchmark(group: Group, measurement: Measurement) -> dict[str, Any]:
    stats = Stats()
    for seconds in measurement.blocks:
        stats.update(seconds)
    bound, tuning = measurement.case.bound, measurement.case.tuning
    problem = " ".join(filter(None, [group.network, group.label, f"bound {bound}" * bool(bound),
                                     tuning]))
    name = f"{group.section}[{problem}-{measurement.contender}]"
    params = {"problem": problem, "contender": measurement.contender}
    extra: dict[str, Any] = {"count": group.count, "flops": group.flops}
    if measurement.samples:
        extra["p99"] = measurement.p99
    return {
        "group": f"{group.section}: {problem}", "name": name, "fullname": f"bench::{name}",
        "params": params, "param": f"{problem}-{measurement.contender}", "extra_info": extra,
        "options": {"timer": "perf_counter", "min_rounds": len(measurement.blocks)},
        "stats": {**stats.as_dict(), "data": measurement.blocks, "iterations": 1},
    }


def draw(path: Path, groups: Sequence[Group], threads: int) -> None:
    """One PNG: a panel for each section that was run."""
    sections = list(dict.fromkeys(g.section for g in groups))
    figure, axes = plt.subplots(len(sections), 1, figsize=(13, 4.2 * len(sections)), squeeze=False)
    for section, ax in zip(sections, axes[:, 0], strict=True):
        mine = [g for g in groups if g.section == section]
        _PANELS[section](ax, mine)
        ax.spines[["top", "right"]].set_visible(False)
        ax.set_title(_HEADINGS[section].format(threads=threads), loc="left", fontsize=11)
        if ax.get_legend_handles_labels()[0]:
            ax.legend(fontsize=8, frameon=False, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    plt.close(figure)


_HEADINGS = {
    "latency": "Region latency, {threads} rendezvous tasks: median, and p99 as a line "
    "(lower is better)",
    "skewed": "Skewed loop, 64 chunks: speed-up over one thread (higher is better)",
    "gemm": "GEMM, GFLOP/s (higher is better)",
    "conv": "Convolution layers of whole networks, batch 1, ms (lower is better)",
    "decomposition": "Layers created for N tasks, run on {threads} threads: network total relative "
    "to its best (lower is better)",
}


def _bars(ax: Any, rows: Sequence[tuple[str, dict[str, float]]]) -> None:
    """Grouped bars: one group for each row, one colour for each contender."""
    names = list(dict.fromkeys(name for _, values in rows for name in values))
    width = 0.85 / len(names)
    for i, name in enumerate(names):
        at = [r + (i - (len(names) - 1) / 2) * width for r, (_, v) in enumerate(rows) if name in v]
        heights = [values[name] for _, values in rows if name in values]
        bars = ax.bar(at, heights, width, label=label(name), color=COLOURS[name])
        if len(rows) <= 4:
            ax.bar_label(bars, fmt="%.3g", fontsize=7, padding=1)
    ax.set_xticks(range(len(rows)), [text for text, _ in rows],
                  rotation=20 if len(rows) > 6 else 0, ha="right" if len(rows) > 6 else "center",
                  fontsize=8)


def _latency(ax: Any, groups: Sequence[Group]) -> None:
    rows = [(g.label, {m.contender: m.median * 1e6 for m in g.measurements}) for g in groups]
    _bars(ax, rows)
    names = list(rows[0][1])
    width = 0.85 / len(names)
    for r, group in enumerate(groups):
        for m in group.measurements:
            x = r + (names.index(m.contender) - (len(names) - 1) / 2) * width
            ax.plot([x, x], [m.median * 1e6, m.p99 * 1e6], color="black", linewidth=1)
    ax.set_yscale("log")
    ax.set_ylabel("us")


def _skewed(ax: Any, groups: Sequence[Group]) -> None:
    rows = []
    for g in groups:
        times = {m.contender: m.median for m in g.measurements}
        if "sequential" in times:
            base = times.pop("sequential")
            rows.append((g.label, {n: base / t for n, t in times.items()}))
    if rows:
        _bars(ax, rows)
    ax.axhline(1, color="black", linewidth=0.5)
    ax.set_ylabel("speed-up")


def _gemm(ax: Any, groups: Sequence[Group]) -> None:
    _bars(ax, [(g.label, {m.contender: g.flops / m.median / 1e9 for m in g.measurements})
               for g in groups])
    ax.set_ylabel("GFLOP/s")


def _conv(ax: Any, groups: Sequence[Group]) -> None:
    _bars(ax, [(net, {n: 1e3 * s for n, s in row.items()}) for net, row in totals(groups).items()])
    ax.set_ylabel("ms")


def _decomposition(ax: Any, groups: Sequence[Group]) -> None:
    markers = iter("osD^vP*X")
    for net, row in totals(groups).items():
        marker = next(markers)
        for name in dict.fromkeys(key.split("/")[0] for key in row):
            values = [row[f"{name}/{b}"] for b in BOUNDS]
            ax.plot(range(len(BOUNDS)), [v / min(values) for v in values], marker=marker,
                    color=COLOURS[name], label=f"{net}, {label(name)}",
                    linestyle="--" if marker == "s" else "-")
    ax.set_xticks(range(len(BOUNDS)), [str(b) for b in BOUNDS])
    ax.set_xlabel("tasks created for")
    ax.set_ylabel("relative time")
    ax.set_ylim(bottom=0.9)


_PANELS = {"latency": _latency, "skewed": _skewed, "gemm": _gemm, "conv": _conv,
           "decomposition": _decomposition}
