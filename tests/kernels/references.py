"""Slow, plain references in float64, and the tolerance that float32 sums are held to."""

from __future__ import annotations

from math import erf

import numpy as np

from kernels import Clip, Function, Relu, Sum


def rand(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return rng.standard_normal(shape).astype(np.float32)


_erf = np.vectorize(erf, otypes=[np.float64])
FUNCTIONS = {
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "silu": lambda x: x / (1 + np.exp(-x)),
    "tanh": np.tanh,
    "gelu": lambda x: 0.5 * x * (1 + _erf(x / np.sqrt(2))),
    "gelu_tanh": lambda x: 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))),
}


def post(values: np.ndarray, post_ops: tuple, before: np.ndarray) -> np.ndarray:
    for op in post_ops:
        name = op.name if isinstance(op, Function) else op
        if name == "relu" or isinstance(op, Relu):
            values = np.maximum(values, 0)
        elif name == "relu6" or isinstance(op, Clip):
            low, high = (op.low, op.high) if isinstance(op, Clip) else (0.0, 6.0)
            values = np.clip(values, low, high)
        elif name in FUNCTIONS:
            values = FUNCTIONS[name](values)
        else:
            scale = op.scale if isinstance(op, Sum) else 1.0
            values = values + np.float64(np.float32(scale)) * before
    return values


def conv2d(
    src: np.ndarray, weights: np.ndarray, bias: np.ndarray | None, *, stride, padding, dilation,
    groups: int,
) -> np.ndarray:
    """NCHW, padding as (top, bottom, left, right)."""
    (sh, sw), (dh, dw), (top, bottom, left, right) = stride, dilation, padding
    x = np.pad(src.astype(np.float64), ((0, 0), (0, 0), (top, bottom), (left, right)))
    oc, icg, kh, kw = weights.shape
    oh = (x.shape[2] - dh * (kh - 1) - 1) // sh + 1
    ow = (x.shape[3] - dw * (kw - 1) - 1) // sw + 1
    out = np.zeros((src.shape[0], oc, oh, ow))
    per_group = oc // groups
    for g in range(groups):
        channels, outs = slice(g * icg, (g + 1) * icg), slice(g * per_group, (g + 1) * per_group)
        for i in range(kh):
            for j in range(kw):
                rows = slice(i * dh, i * dh + sh * (oh - 1) + 1, sh)
                columns = slice(j * dw, j * dw + sw * (ow - 1) + 1, sw)
                taps = x[:, channels, rows, columns]
                kernel = weights[outs, :, i, j].astype(np.float64)
                out[:, outs] += np.einsum("nchw,oc->nohw", taps, kernel)
    return out if bias is None else out + bias.astype(np.float64)[:, None, None]


def assert_close(actual: np.ndarray, expected: np.ndarray, depth: int) -> None:
    """Within the error of a float32 chain of `depth` multiply-adds of standard normal values.

    The bound eps * depth * max|term| of Higham's Accuracy and Stability, section 3.1, is loose;
    rounding errors of random terms grow with its square root, so eps * depth is already generous.
    """
    assert actual.shape == expected.shape
    eps = np.finfo(actual.dtype).eps
    np.testing.assert_allclose(actual, expected, rtol=100 * eps, atol=eps * max(depth, 1) * 16)


def same_bits(x: np.ndarray, y: np.ndarray) -> bool:
    same_kind = x.shape == y.shape and x.dtype == y.dtype
    return same_kind and np.ascontiguousarray(x).tobytes() == np.ascontiguousarray(y).tobytes()
