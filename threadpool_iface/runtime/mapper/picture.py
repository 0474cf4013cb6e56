"""Throughput and latency of every configuration, drawn."""

from __future__ import annotations

import os
from typing import Any

from .choice import Map

_COLOURS = {"omp": "#1565c0", "eigen": "#ef6c00"}


def draw(found: Map, path: str | os.PathLike[str]) -> None:
    """Write the picture; the file's name says in which format.

    Raises
    ------
    ImportError
        matplotlib is not installed.
    """
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    figure, (bars, plane) = plt.subplots(
        1, 2, figsize=(12, 2 + 0.35 * max(8, len(found.runs))), layout="constrained")
    _draw_bars(found, bars)
    _draw_plane(found, plane)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def _draw_bars(found: Map, axes: Any) -> None:
    names = [str(each) for each in found.runs]
    axes.barh(names, [run.throughput for run in found.runs.values()],
              color=[_COLOURS[each.pool] for each in found.runs])
    for place, each in enumerate(found.runs):
        marks = [mark for mark in found.marks(each) if "throughput" in mark]
        axes.annotate(" " + ", ".join(marks), (0, place), va="center", color="white", fontsize=8)
    axes.invert_yaxis()
    axes.set(title="instances x cores of each, pool", xlabel="items in a second, all instances")


def _draw_plane(found: Map, axes: Any) -> None:
    for each, run in found.runs.items():
        axes.plot([1e3 * run.median, 1e3 * run.p99], [run.throughput] * 2, color="#bbbbbb",
                  zorder=1)
        axes.scatter(1e3 * run.median, run.throughput, color=_COLOURS[each.pool], zorder=2)
        axes.annotate(str(each), (1e3 * run.median, run.throughput), fontsize=8,
                      textcoords="offset points", xytext=(4, 4))
    front = sorted((1e3 * found.runs[each].median, found.runs[each].throughput)
                   for each in found.pareto())
    axes.plot(*zip(*front, strict=True), color="#2e7d32", linestyle="--", marker="o",
              markersize=12, fillstyle="none", label="Pareto front")
    axes.set(title="latency: median, and a line to p99", xlabel="ms",
             ylabel="items in a second", xscale="log")
    axes.set_ylim(0, 1.1 * max(run.throughput for run in found.runs.values()))
    axes.legend(frameon=False)
