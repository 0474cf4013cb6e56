"""The tiles of each Winograd algorithm: how many outputs, from which inputs, in how many parts."""

from __future__ import annotations

from dataclasses import dataclass

from ...microkernels.winograd import LINE_OUTPUTS, LINE_TAPS, LINE_VARIANT
from ..descriptor import Conv2dDescriptor


@dataclass(frozen=True)
class Geometry:
    """A tile.

    Attributes
    ----------
    variant : int
        Which transforms: the side of a square tile, or `LINE_VARIANT`.
    outputs, positions : (int, int)
        Height and width of a tile of outputs, and of the inputs it is transformed from.
    groups : int
        Parts of the taps. The inputs of the second part are those of the next tile along the line,
        so that their transform serves both.
    vertical : bool
        Whether tiles are counted down the columns, as next tiles are where lines are columns.
    """

    variant: int
    outputs: tuple[int, int]
    positions: tuple[int, int]
    groups: int
    vertical: bool

    @property
    def points(self) -> int:
        """Products of a tile for each pair of channels and part of the taps."""
        return self.positions[0] * self.positions[1]


def geometry(d: Conv2dDescriptor, algorithm: int) -> Geometry:
    """That of `algorithm`, one of `choose_algorithm`'s that is not direct."""
    if algorithm != LINE_VARIANT:
        m, n = algorithm, algorithm + 2
        return Geometry(algorithm, (m, m), (n, n), 1, False)
    height, width = d.weights_shape[2:]
    groups = -(-max(height, width) // LINE_TAPS)
    inputs = LINE_OUTPUTS + LINE_TAPS - 1
    if width > 1:
        return Geometry(LINE_VARIANT, (1, LINE_OUTPUTS), (1, inputs), groups, False)
    return Geometry(LINE_VARIANT, (LINE_OUTPUTS, 1), (inputs, 1), groups, True)
