"""Which vector instructions the microkernels are emitted for, and the tiles that fit them.

The choice follows numba's own target (so `NUMBA_CPU_NAME` and `NUMBA_CPU_FEATURES` are obeyed) and
never a probe: compiling an instruction the target lacks ends the process. numba keys its disk
cache by the same target, so a cached kernel always matches the tiles named here.
"""

from __future__ import annotations

import platform
from dataclasses import dataclass, replace
from functools import cache


@dataclass(frozen=True)
class Isa:
    """One instruction set: its name, vector width and register tiles for one kind of element.

    Attributes
    ----------
    name : str
        As oneDNN names it: "avx512_core", "avx2", or "generic".
    lanes : int
        Elements in a vector.
    rows : tuple of int
        `rows[nv - 1]` is MR, the most rows of a tile that is `nv` vectors wide. Accumulators,
        one row of B and one broadcast must fit the registers: 32 of 512 bits for avx512_core,
        16 of 256 for avx2, 16 of 128 for generic.
    fma : bool
        Whether a multiply-add rounds once. Without it the product is rounded first.
    element : str
        "f32" or "f64".
    """

    name: str
    lanes: int
    rows: tuple[int, ...]
    fma: bool
    element: str = "f32"

    @property
    def size(self) -> int:
        """Bytes of an element."""
        return 8 if self.element == "f64" else 4

    @property
    def width(self) -> int:
        """Bytes of a vector."""
        return self.size * self.lanes

    @property
    def nr(self) -> int:
        """Columns of a full panel of packed B."""
        return self.lanes * len(self.rows)

    @property
    def mr(self) -> int:
        """Rows of the tile used on a full panel."""
        return self.rows[-1]


AVX512 = Isa("avx512_core", 16, (8, 8, 8, 6), True)
AVX2 = Isa("avx2", 8, (8, 6), True)
GENERIC = Isa("generic", 4, (8, 6), False)
# NEON has 32 registers of 128 bits and multiply-adds that round once, in every aarch64 CPU.
NEON = Isa("neon", 4, (8, 8, 8, 6), True)


def _target_features() -> frozenset[str]:
    from numba.core.registry import cpu_target

    _, _, features = cpu_target.target_context.codegen().magic_tuple()
    return frozenset(f[1:] for f in features.split(",") if f.startswith("+"))


@cache
def current(element: str = "f32") -> Isa:
    """The instruction set of numba's target in this process, for "f32" or "f64".

    float64 has the same tiles in registers, half as many columns wide.
    """
    if element == "f64":
        single = current()
        return replace(single, lanes=single.lanes // 2, element=element)
    if platform.machine() in ("aarch64", "arm64"):
        return NEON
    features = _target_features()
    if {"avx512f", "avx512bw", "avx512vl", "avx512dq"} <= features:
        return AVX512
    if {"avx2", "fma"} <= features:
        return AVX2
    return GENERIC
