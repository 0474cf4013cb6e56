"""How a Matmul is split: blocks from its shape alone, a grid over matrices, rows and panels."""

from __future__ import annotations

from math import prod

from threadpool_iface import Decomposition
from threadpool_iface.decomposition import choose

from ..costs import machine
from ..microkernels.isa import Isa
from .descriptor import MatmulDescriptor

DIMS = ("batch", "m", "n")
#: Of a product so deep and small that K is split too.
DEEP_DIMS = ("k", "m", "n")

#: K and M blocks: a KC x NR panel of B is 96 KiB and an MC x KC block of A 360 KiB, which together
#: fit an L2 of 512 KiB to 2 MiB. Within 3 % of the best at 1024^3 for KC 256..512, MC 120..480.
#: KC is also the most terms that are added up in one chain, so rounding errors grow with it.
KC = 384
MC_BYTES = 960


#: With fewer tiles than this an output has too little to share out; K is cut if it is deep, into
#: slices of no less than this, as many as this at most.
FEW_TILES = 16
SLICE = 2048
MOST_SLICES = 16


def slices(d: MatmulDescriptor, isa: Isa) -> int:
    """Parts that K is cut into: from the shape alone, for each sums in an order of its own."""
    _, tiles, panels = _grid_extents(d, isa)
    if prod(d.batch) != 1 or tiles * panels >= FEW_TILES:
        return 1
    return max(1, min(MOST_SLICES, d.k // SLICE))


def block_rows(isa: Isa) -> int:
    """MC: rows of a block of A, 240 of float32 or 120 of float64."""
    return MC_BYTES // isa.size


#: With at most this many rows, B is read where it lies: packing it would cost a pass over B that
#: so few rows cannot earn back. With at most `gemv.MAX_ROWS` it is read row by row.
IN_PLACE_ROWS = 32


def _grid_extents(descriptor: MatmulDescriptor, isa: Isa) -> tuple[int, int, int]:
    """Matrices, rows of tiles, panels of columns."""
    return prod(descriptor.batch), -(-descriptor.m // isa.mr), -(-descriptor.n // isa.nr)


def decompose(descriptor: MatmulDescriptor, isa: Isa, bound: int) -> Decomposition:
    """The split into at most `bound` tasks that the cost model predicts to end first."""
    deep = slices(descriptor, isa)
    matrices, *rest = _grid_extents(descriptor, isa)
    k = descriptor.k / deep
    core = machine()

    def seconds(share: tuple[int, ...]) -> float:
        matrices, tiles, panels = share
        rows, columns = min(tiles * isa.mr, descriptor.m), min(panels * isa.nr, descriptor.n)
        flops = 2.0 * matrices * rows * columns * k
        moved = float(isa.size) * matrices * (rows * k + columns * k + rows * columns)
        return flops * isa.size / 4 / core.flops_per_second + moved / core.bytes_per_second

    dims, first = (DIMS, matrices) if deep == 1 else (DEEP_DIMS, deep)
    return choose(dims, (first, *rest), (isa.mr, isa.nr), bound, seconds, core.region_seconds)
