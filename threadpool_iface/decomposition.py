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
        The dimensions that are split, outermost first: ("batch", "m", "n") for Matmul,
        ("batch", "oh", "oc") for Conv2d, ("tiles", "oc") where that is a Winograd convolution.
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
    """

    dims: tuple[str, ...]
    grid: tuple[int, ...]
    extent: tuple[int, ...] = ()
    tile: tuple[int, ...] = ()
    reason: str = field(default="given", compare=False)

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
    best = min(_grids(extent, max(1, bound)), key=lambda grid: (predicted(grid), prod(grid)))
    if prod(best) > 1 and predicted(one) <= predicted(best):
        return Decomposition(dims, one, extent, tile, "a region would cost more than it saves")
    limit = "the bound" if prod(best) == bound else "the cost model"
    return Decomposition(dims, best, extent, tile, f"at most {bound} allowed; {limit} decided")
