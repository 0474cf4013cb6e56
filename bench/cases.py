"""What is measured: one case is one problem, the same for every contender."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from .shapes import Conv, Gemm


@dataclass(frozen=True)
class Case:
    """A problem, and how to split it where the contender lets us choose."""

    section: str  # the name of a contender's method: "latency", "skewed", "gemm", "conv", ...
    shape: Gemm | Conv | None = None
    idle: str = ""  # latency: "hot", "slept" or "busy" before each region
    microseconds: float = 0.0  # about how long a loop, or a region's task, takes on one thread
    bound: int | str | None = None  # tasks created for, or "execution"
    skew: str = ""  # loop: how the chunks' costs differ
    body: str = ""  # regions: "empty", "rendezvous" or "delay"; branches: a block of GoogLeNet;
    # chain: a network; blas: "numpy", "ours" or "alternating"; openmp: works, "a + b" in turn
    tasks: int = 0  # regions: how many, 0 for one for each thread; blas, openmp: callers
    chunk: int = 0  # loop_overhead: iterations in a task
    batch: int = 1  # chain: images
    dtype: str = "float32"  # blas
    tuning: str = ""  # how the split is found: "" by the model, "calibrated", "search"

    def __str__(self) -> str:
        if self.shape or self.idle:
            return str(self.shape or self.idle)
        return f"{self.microseconds:g} us" if self.microseconds else self.body


def gemm_operands(shape: Gemm) -> tuple[np.ndarray, np.ndarray]:
    """A and B, the same in every process."""
    rng = np.random.default_rng([shape.m, shape.n, shape.k])
    return (rng.standard_normal((shape.m, shape.k), dtype=np.float32),
            rng.standard_normal((shape.k, shape.n), dtype=np.float32))


def conv_operands(shape: Conv) -> tuple[np.ndarray, np.ndarray]:
    """Source as NCHW and weights as OIHW, the same in every process."""
    rng = np.random.default_rng([shape.ic, shape.ih, shape.oc, shape.kh])
    src = rng.standard_normal((shape.mb, shape.ic, shape.ih, shape.iw), dtype=np.float32)
    kernel = (shape.oc, shape.ic // shape.g, shape.kh, shape.kw)
    return src, rng.standard_normal(kernel, dtype=np.float32)


def sample(array: np.ndarray, most: int = 4096) -> np.ndarray:
    """Some elements of a result, the same ones for every contender."""
    flat: Any = np.ascontiguousarray(array).reshape(-1)
    return flat[:: max(1, flat.size // most)].copy()
