"""Lists of layers as data, in benchdnn's format, and the reader for anybody's own lists."""

from __future__ import annotations

from pathlib import Path

from .benchdnn import BatchedGemm, Conv, Gemm, Pool, Shape, ShapeError, read_shapes

HERE = Path(__file__).parent
NETWORKS = {"ResNet-50 v1.5": "resnet50_v1_5.conv", "GoogLeNet v1": "googlenet_v1.conv",
            "Inception v4": "inception_v4.conv"}


def network(name: str) -> list[Conv]:
    """Every distinct convolution layer of a network of NETWORKS, with its count."""
    return [shape for shape in read_shapes(HERE / NETWORKS[name]) if isinstance(shape, Conv)]


def gemms() -> list[Gemm]:
    """The main job's."""
    return _products("gemm.matmul")


def skinny() -> list[Gemm]:
    """Products of few rows."""
    return _products("skinny.matmul")


def _products(name: str) -> list[Gemm]:
    return [shape for shape in read_shapes(HERE / name) if isinstance(shape, Gemm)]


__all__ = ["NETWORKS", "BatchedGemm", "Conv", "Gemm", "Pool", "Shape", "ShapeError", "gemms",
           "network", "read_shapes", "skinny"]
