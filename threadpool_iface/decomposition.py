"""How work is split into tasks: balance211, and the Decomposition a primitive carries.

A decomposition is data: print it, compare it, or build one and pass it to `PrimitiveAttr`. It says
only how outputs are shared out; nothing in it can change a result.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from math import ceil, prod

from .arguments import checked_int

#: Teams are counted in an int32 everywhere.
MAX_TEAM = 2**31 - 1
#: Grids whose predicted cost a decomposition keeps, to explain itself.
SHOWN = 5


def balance211(n: int, team: int, tid: int) -> tuple[int, int]:
    """The half-open range of `n` items that member `tid` of a `team` takes.

    As oneDNN's: contiguous ranges whose sizes differ by at most one, the larger ones first;
    a team of one or less takes everything.

    Raises
    ------
    TypeError
        An argument is not an integer.
    ValueError
        `n` is negative, or `tid` is not in `range(team)`.
    """
    n, team = checked_int(n, "n", 0), checked_int(team, "team", -MAX_TEAM, MAX_TEAM)
    if team <= 1:
        return 0, n
    tid = checked_int(tid, f"tid of a team of {team}", 0, team - 1)
    small, larger = divmod(n, team)
    start = tid * small + min(tid, larger)
    return start, start + small + (tid < larger)


@dataclass(frozen=True)
class Decomposition:
    """A split of an output into a grid of tasks.

    Attributes
    ----------
    dims : tuple of str
        The dimensions that are split, outermost first: ("batch", "m", "n") for Matmul, ("k", "m",
        "n") where that is cut along K, ("batch", "oh", "oc") for Conv2d, ("tiles", "oc") where
        that is a Winograd convolution, ("batch", "oh") for Pool2d, ("chunks",) for what is computed
        element by element.
    grid : tuple of int
        Parts along each dimension.
    extent : tuple of int
        Units along each dimension that can be shared out: whole matrices or images, rows of
        tiles, panels of columns. A part is a `balance211` range of units. Filled in by the
        primitive; empty in a decomposition you write yourself.
    tile : tuple of int
        MR x NR of the microkernel's tile. Filled in by the primitive.
    reason : str
        Why this split was chosen. Not compared.
    predictions : tuple of (grid, seconds)
        What the cost model predicted for this grid and the best of the others, ascending. Empty in
        one you write yourself. Not compared.
    """

    dims: tuple[str, ...]
    grid: tuple[int, ...]
    extent: tuple[int, ...] = ()
    tile: tuple[int, ...] = ()
    reason: str = field(default="given", compare=False)
    predictions: tuple[tuple[tuple[int, ...], float], ...] = field(
        default=(), compare=False, repr=False)

    def __post_init__(self) -> None:
        if len(self.dims) != len(self.grid):
            raise ValueError(f"grid must have one entry for each of {self.dims}, not {self.grid}")
        for dim, parts in zip(self.dims, self.grid, strict=True):
            checked_int(parts, f"grid[{dim}]", 1)

    @property
    def tasks(self) -> int:
        """Number of tasks: one for each cell of the grid."""
        return prod(self.grid)

    @property
    def balance(self) -> float:
        """Mean task over largest task, in units: 1.0 is perfect, 0.5 wastes half the threads."""
        if not self.extent or not prod(self.extent):
            return 1.0
        largest = prod(ceil(e / g) for e, g in zip(self.extent, self.grid, strict=True))
        return prod(self.extent) / (largest * self.tasks)

    def __str__(self) -> str:
        parts = " x ".join(f"{d} {g}" for d, g in zip(self.dims, self.grid, strict=True))
        text = f"{self.tasks} task{'s' * (self.tasks != 1)}: {parts}"
        if self.extent:
            units = " x ".join(map(str, self.extent))
            text += f"; of {units} units, balance {self.balance:.2f}"
        if self.tile:
            text += f"; tile {self.tile[0]}x{self.tile[1]}"
        return text + f" ({self.reason})"


    def explain(self) -> str:
        """Why this split: its tasks, what the cost model predicts, and what others would cost.

        Predictions are in microseconds on the model's machine; only their ratios mean anything.
        """
        lines = [str(self)]
        if self.extent:
            parts = (f"{ceil(e / g)} of {e}" for e, g in zip(self.extent, self.grid, strict=True))
            lines.append("largest task: " + ", ".join(
                f"{part} {dim}" for part, dim in zip(parts, self.dims, strict=True)))
        own = dict(self.predictions).get(self.grid)
        for grid, seconds in self.predictions:
            shown = " x ".join(map(str, grid))
            mark = "<- chosen" if grid == self.grid else (
                f"{seconds / own:.2f}x" if own else "")
            lines.append(f"  {shown:>12}  {1e6 * seconds:10.2f} us  {mark}".rstrip())
        return "\n".join(lines)

    def picture(self, path: str) -> None:
        """Draw the output, coloured by task, to an image file (PNG, SVG, PDF by its name).

        Each cell is one unit of the last two dimensions; those before are drawn below each other.

        Raises
        ------
        ValueError
            A decomposition you wrote yourself: it has no extents before a primitive uses it.
        ModuleNotFoundError
            Matplotlib is not installed (it comes with the extra `bench`).
        """
        if not self.extent:
            raise ValueError("this decomposition has no extents: take a primitive's")
        from .decomposition_picture import draw

        draw(self, path)


def _grids(extent: tuple[int, ...], bound: int) -> Iterator[tuple[int, ...]]:
    """Every grid that fits, the last dimension taking all the tasks the others leave."""
    if len(extent) == 1:
        yield (min(extent[0], bound),)
        return
    for parts in range(1, min(extent[0], bound) + 1):
        for rest in _grids(extent[1:], bound // parts):
            yield (parts, *rest)


def choose(
    dims: tuple[str, ...],
    extent: tuple[int, ...],
    tile: tuple[int, ...],
    bound: int,
    seconds: Callable[[tuple[int, ...]], float],
    region: float,
) -> Decomposition:
    """The grid of at most `bound` tasks that is predicted to end first.

    Parameters
    ----------
    extent
        Units along each of `dims`; see `Decomposition`.
    seconds
        Predicted time of a task that holds the given number of units along each dimension.
    region
        Seconds that going parallel costs at all, whatever the number of tasks.
    """
    extent = tuple(max(1, e) for e in extent)

    def predicted(grid: tuple[int, ...]) -> float:
        share = tuple(ceil(e / g) for e, g in zip(extent, grid, strict=True))
        return seconds(share) + (region if prod(grid) > 1 else 0.0)

    one = (1,) * len(extent)
    costs = {grid: predicted(grid) for grid in {one, *_grids(extent, max(1, bound))}}
    # Of equals the one with fewest tasks; then any order that is always the same.
    ranked = sorted(costs, key=lambda grid: (costs[grid], prod(grid), grid))
    best = ranked[0]
    shown = tuple((grid, costs[grid]) for grid in [*ranked[:SHOWN], *{one} - set(ranked[:SHOWN])])
    if best == one and bound > 1:
        reason = "a region would cost more than it saves"
    else:
        limit = "the bound" if prod(best) == bound else "the cost model"
        reason = f"at most {bound} allowed; {limit} decided"
    return Decomposition(dims, best, extent, tile, reason, shown)
