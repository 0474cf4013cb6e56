"""The five sections of the main job: which cases, for whom, for how long."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from .cases import Case
from .shapes import Conv, Gemm, gemms, network
from .turns import Measurement, Table

SECTIONS = ("latency", "skewed", "gemm", "conv", "decomposition")
#: Of shapes.NETWORKS; the others are for chains.
MAIN_NETWORKS = ("ResNet-50 v1.5", "GoogLeNet v1")
POOLS = ("sequential", "omp", "eigen")
CONTENDERS = {
    "latency": ("omp", "eigen", "libgomp", "libomp", "libiomp5", "tbb", "eigen-ref"),
    "skewed": ("sequential", "omp", "omp-dynamic", "eigen", "libgomp", "libgomp-dynamic", "libomp",
               "libomp-dynamic", "libiomp5", "tbb", "tbb-auto", "eigen-ref", "prange"),
    "gemm": (*POOLS, "numpy", "prange", "torch", "onnxruntime"),
    "conv": (*POOLS, "torch", "torch-nchw", "torch-prepacked", "onnxruntime"),
    "decomposition": ("omp", "eigen"),
}
#: Tasks that layers are created for in the decomposition experiment.
BOUNDS: tuple[int | str, ...] = (1, 2, 4, 8, 16, 56, "execution")


@dataclass
class Group:
    """One row of a table: a problem and everybody's measurement of it."""

    section: str
    network: str  # or another heading
    label: str
    count: int
    flops: int
    jobs: list[tuple[str, Case]]
    measurements: list[Measurement] = field(default_factory=list)


@dataclass(frozen=True)
class Effort:
    """How long to measure: blocks for each contender, and seconds in a block."""

    blocks: int
    seconds: dict[str, float]

    def __getitem__(self, section: str) -> float:
        return self.seconds[section]


FULL = Effort(4, {"latency": 0.15, "skewed": 0.03, "gemm": 0.03, "conv": 0.008,
                  "decomposition": 0.004})
QUICK = Effort(3, {"latency": 0.03, "skewed": 0.005, "gemm": 0.004, "conv": 0.004,
                   "decomposition": 0.002})


def groups(
    section: str, contenders: Sequence[str], quick: bool,
    shapes: Sequence[Gemm | Conv] | None = None,
) -> list[Group]:
    """Every problem of a section, for those of `contenders` that take part in it."""
    names = [name for name in CONTENDERS[section] if name in contenders]
    if not names:
        return []
    return _BUILDERS[section](names, quick, shapes)


def _latency(names: list[str], quick: bool, shapes: object) -> list[Group]:
    return [
        Group("latency", "", idle, 1, 0, [(name, Case("latency", idle=idle)) for name in names])
        for idle in ("hot", "slept", "busy")
    ]


def _skewed(names: list[str], quick: bool, shapes: object) -> list[Group]:
    sizes = (500,) if quick else (50, 500, 5000)
    return [
        Group("skewed", "", f"{us} us", 1, 0,
              [(name, Case("skewed", microseconds=us)) for name in names])
        for us in sizes
    ]


def _gemm(
    names: list[str], quick: bool, shapes: Sequence[Gemm | Conv] | None
) -> list[Group]:
    chosen = [s for s in shapes if isinstance(s, Gemm)] if shapes else gemms()
    return [
        Group("gemm", "", shape.name or str(shape), shape.count, shape.flops,
              [(name, Case("gemm", shape)) for name in names])
        for shape in (chosen[:3] if quick and not shapes else chosen)
    ]


def _layers(quick: bool, shapes: Sequence[Gemm | Conv] | None) -> list[tuple[str, Conv]]:
    if shapes:
        return [("given shapes", s) for s in shapes if isinstance(s, Conv)]
    return [(name, layer) for name in MAIN_NETWORKS
            for layer in (network(name)[1:4] if quick else network(name))]


def _conv(
    names: list[str], quick: bool, shapes: Sequence[Gemm | Conv] | None
) -> list[Group]:
    return [
        Group("conv", net, layer.name or str(layer), layer.count, layer.flops,
              [(name, Case("conv", layer)) for name in names])
        for net, layer in _layers(quick, shapes)
    ]


def _decomposition(
    names: list[str], quick: bool, shapes: Sequence[Gemm | Conv] | None
) -> list[Group]:
    return [
        Group("decomposition", net, layer.name or str(layer), layer.count, layer.flops,
              [(name, Case("conv", layer, bound=bound)) for name in names for bound in BOUNDS])
        for net, layer in _layers(quick, shapes)
    ]


_BUILDERS: dict[str, Callable[..., list[Group]]] = {
    "latency": _latency, "skewed": _skewed, "gemm": _gemm, "conv": _conv,
    "decomposition": _decomposition,
}


def run(group: Group, table: Table, effort: Effort) -> None:
    """Measure one group and keep the figures in it."""
    group.measurements = table.measure(group.jobs, effort.blocks, effort[group.section])
