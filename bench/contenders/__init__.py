"""Who is compared, by name. A contender is imported in its own process only."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from ..native import peers


@dataclass(frozen=True)
class Entry:
    """Where a contender's class is, what it is made with, and what it needs.

    `needs` are Python packages, `runtime` is one of `native.peers`.
    """

    module: str
    cls: str
    options: tuple[Any, ...] = ()
    needs: tuple[str, ...] = ()
    label: str = ""
    runtime: str = ""


CONTENDERS = {
    "sequential": Entry("ours", "Ours", ("SequentialPool",), label="SequentialPool"),
    "omp": Entry("ours", "Ours", ("OmpLikePool",), label="OmpLikePool"),
    "omp-dynamic": Entry("ours", "Ours", ("OmpLikePool", "dynamic"), label="OmpLikePool dynamic"),
    "eigen": Entry("ours", "Ours", ("EigenLikePool",), label="EigenLikePool"),
    **{f"{name}-{size}": Entry("ours", "Ours", (kind, None, size), label=f"{kind}({size})")
       for name, kind in (("omp", "OmpLikePool"), ("eigen", "EigenLikePool"))
       for size in (1, 2, 4, 8)},
    "libgomp": Entry("openmp", "OpenMP", ("static",), label="libgomp"),
    "libgomp-dynamic": Entry("openmp", "OpenMP", ("dynamic",), label="libgomp dynamic"),
    "omp+omp": Entry("ours", "Ours", ("OmpLikePool", None, None, "OmpLikePool"),
                     label="two OmpLikePools"),
    "eigen+eigen": Entry("ours", "Ours", ("EigenLikePool", None, None, "EigenLikePool"),
                         label="two EigenLikePools"),
    "omp+eigen": Entry("ours", "Ours", ("OmpLikePool", None, None, "EigenLikePool"),
                       label="OmpLikePool and EigenLikePool"),
    "libomp": Entry("runtimes", "Runtime", ("libomp",), label="libomp", runtime="libomp"),
    "libomp-dynamic": Entry("runtimes", "Runtime", ("libomp", True), label="libomp dynamic",
                            runtime="libomp"),
    "libiomp5": Entry("runtimes", "Runtime", ("libiomp5",), label="libiomp5", runtime="libiomp5"),
    "tbb": Entry("runtimes", "Runtime", ("tbb",), label="oneTBB", runtime="tbb"),
    "tbb-auto": Entry("runtimes", "Runtime", ("tbb", True), label="oneTBB auto", runtime="tbb"),
    "eigen-ref": Entry("runtimes", "Eigen", label="Eigen", runtime="eigen"),
    **{f"{name} {how}": Entry("independent", "Independent", (kind, how), label=f"{kind}, {how}")
       for name, kind in (("omp", "OmpLikePool"), ("eigen", "EigenLikePool"))
       for how in ("in turn", "one pool", "own pools")},
    **{f"blas {where}": Entry("blas", "Blas", (kind, limited), label=text)
       for where, kind, limited, text in (
           ("own", "", False, "OpenBLAS's own threads"),
           ("omp", "OmpLikePool", False, "OmpLikePool"),
           ("eigen", "EigenLikePool", False, "EigenLikePool"),
           ("limited", "OmpLikePool", True, "OmpLikePool, limited(1)"))},
    **{f"openmp {where}": Entry("openmp_layer", "OpenMPLayer", (kind,), label=text)
       for where, kind, text in (("own", "", "libgomp's own threads"),
                                 ("omp", "OmpLikePool", "OmpLikePool"),
                                 ("eigen", "EigenLikePool", "EigenLikePool"))},
    "numpy": Entry("numpy_openblas", "NumPy", label="NumPy/OpenBLAS"),
    "prange": Entry("numba_prange", "Prange", label="numba prange"),
    "numba on omp": Entry("numba_layer", "NumbaLayer", ("OmpLikePool",), label="OmpLikePool"),
    "numba on eigen": Entry("numba_layer", "NumbaLayer", ("EigenLikePool",),
                            label="EigenLikePool"),
    "numba on omp, static": Entry("numba_layer", "NumbaLayer", ("OmpLikePool", "static"),
                                  label="OmpLikePool, static"),
    **{f"numba {layer}": Entry("numba_layer", "NumbaLayer", (layer,), label=f"numba {layer}")
       for layer in ("omp", "tbb", "workqueue")},
    "torch": Entry("pytorch", "Torch", ("channels_last",), ("torch",), "torch"),
    "torch-nchw": Entry("pytorch", "Torch", ("contiguous",), ("torch",), "torch NCHW"),
    "torch-prepacked": Entry("pytorch", "Torch", ("prepacked",), ("torch",), "torch prepacked"),
    "onnxruntime": Entry("onnx_runtime", "OnnxRuntime", (), ("onnxruntime", "onnx"),
                         "ONNX Runtime"),
}


def missing(name: str) -> list[str]:
    """Packages, Python's or the system's, that a contender needs and that are not installed."""
    entry = CONTENDERS[name]
    absent = [package for package in entry.needs if find_spec(package) is None]
    if entry.runtime and not peers.present(entry.runtime):
        absent.append(peers.INSTALL[entry.runtime])
    return absent


def create(name: str, threads: int) -> Any:
    """The contender itself; call it in a process of its own."""
    entry = CONTENDERS[name]
    module = import_module(f"bench.contenders.{entry.module}")
    return getattr(module, entry.cls)(threads, *entry.options)
