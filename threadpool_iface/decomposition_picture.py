"""Drawing a decomposition. Apart, because it needs Matplotlib."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .decomposition import Decomposition


def _tasks(decomposition: Decomposition) -> list[list[int]]:
    """The task of each unit: rows are all dimensions but the last, columns the last."""
    from .decomposition import balance211

    grid, extent = decomposition.grid, decomposition.extent
    owners = []
    for units, parts in zip(extent, grid, strict=True):
        ranges = [balance211(units, parts, part) for part in range(parts)]
        owners.append([part for part, (start, end) in enumerate(ranges)
                       for _ in range(start, end)])
    columns = owners[-1]
    rows = [0]
    for owner, parts in zip(owners[:-1], grid[:-1], strict=True):
        rows = [row * parts + part for row in rows for part in owner]
    return [[row * grid[-1] + column for column in columns] for row in rows]


def draw(decomposition: Decomposition, path: str) -> None:
    """See `Decomposition.picture`."""
    from matplotlib import colormaps
    from matplotlib.colors import ListedColormap
    from matplotlib.figure import Figure

    tasks = _tasks(decomposition)
    height, width = len(tasks), len(tasks[0])
    figure = Figure(figsize=(6, max(2.0, min(8.0, 6 * height / max(width, 1)))),
                    layout="constrained")
    axes = figure.subplots()
    colours = [colormaps["tab20"](task % 20) for task in range(decomposition.tasks)]
    axes.imshow(tasks, cmap=ListedColormap(colours), vmin=-0.5, vmax=decomposition.tasks - 0.5,
                aspect="auto", interpolation="nearest")
    if decomposition.tasks <= 64:
        _number(axes, decomposition, tasks)
    axes.set_xlabel(f"{decomposition.dims[-1]}: {decomposition.extent[-1]} units")
    axes.set_ylabel(" x ".join(decomposition.dims[:-1])
                    + f": {prod(decomposition.extent[:-1])} units")
    axes.set_title(f"{decomposition.tasks} tasks, balance {decomposition.balance:.2f}")
    figure.savefig(path)


def _number(axes: object, decomposition: Decomposition, tasks: list[list[int]]) -> None:
    """Each task's number in the middle of its first block."""
    places: dict[int, list[tuple[int, int]]] = {}
    for y, row in enumerate(tasks):
        for x, task in enumerate(row):
            places.setdefault(task, []).append((x, y))
    for task, cells in places.items():
        middle_x = sum(cell[0] for cell in cells) / len(cells)
        middle_y = sum(cell[1] for cell in cells) / len(cells)
        axes.text(middle_x, middle_y, str(task), ha="center", va="center")  # type: ignore[attr-defined]
