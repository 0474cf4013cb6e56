"""Rounding errors of long sums, relative to the sum of the terms' magnitudes."""

from __future__ import annotations

import numpy as np
import pytest

from kernels import Conv2d, Matmul, Pool2d, Softmax
from threadpool_iface import PrimitiveAttr

from .references import conv2d

#: Of float32, the root of the mean square over all outputs. One chain of a few thousand positive
#: terms has 1e-6 and more.
MOST = 4e-7


def data(rng, kind, *shape):
    values = rng.random(shape) if kind == "positive" else rng.standard_normal(shape)
    return values.astype(np.float32)


def error(result, exact, magnitudes):
    return np.sqrt(np.mean(((result - exact) / magnitudes) ** 2))


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.mark.parametrize("kind", ["positive", "normal"])
@pytest.mark.parametrize(
    ("m", "k", "n"),
    [(70, 512, 90), (70, 4095, 90), (300, 32768, 70), (20, 20000, 70), (3, 20000, 400),
     (1, 20000, 400), (400, 20000, 1), (2, 32768, 3), (1, 32768, 1)],
)
def test_products(rng, kind, m, k, n):
    a, b = data(rng, kind, m, k), data(rng, kind, k, n)
    exact = a.astype(float) @ b.astype(float)
    magnitudes = np.abs(a).astype(float) @ np.abs(b).astype(float)
    mm = Matmul(a.shape, b.shape)
    for operand in (b, np.asfortranarray(b), mm.pack_weights(b)):
        assert error(mm(a, operand), exact, magnitudes) < MOST


@pytest.mark.parametrize("kind", ["positive", "normal"])
@pytest.mark.parametrize(("m", "n"), [(1, 500), (500, 1)])
@pytest.mark.parametrize("k", [64, 384])
def test_a_product_with_a_vector_has_short_chains(rng, kind, m, n, k):
    a, b = data(rng, kind, m, k), data(rng, kind, k, n)
    exact = a.astype(float) @ b.astype(float)
    magnitudes = np.abs(a).astype(float) @ np.abs(b).astype(float)
    # One chain of 64 has 1.1e-7 for positive values, one of 384 has 2.8e-7.
    assert error(Matmul(a.shape, b.shape)(a, b), exact, magnitudes) < 9e-8


def test_products_in_float64(rng):
    a, b = (rng.integers(1, 1 << 20, shape) / (1 << 20) for shape in ((9, 20000), (20000, 17)))
    exact = a.astype(np.longdouble) @ b.astype(np.longdouble)
    assert error(Matmul(a.shape, b.shape, dtype=np.float64)(a, b), exact, exact) < MOST / 2**29


@pytest.mark.parametrize("kind", ["positive", "normal"])
@pytest.mark.parametrize(
    ("src", "weights", "options", "algorithm"),
    [
        ((1, 2048, 7, 7), (40, 2048, 1, 1), {}, "direct"),
        ((1, 2048, 7, 7), (20, 2048, 3, 3), {"padding": 1}, "direct"),
        ((1, 2048, 12, 12), (20, 2048, 3, 3), {"padding": 1}, "winograd"),
        ((1, 512, 24, 24), (20, 512, 3, 3), {"padding": 1}, "winograd"),
        ((1, 1024, 3, 20), (20, 1024, 1, 7), {"padding": (0, 3)}, "winograd"),
        ((1, 600, 12, 12), (1, 600, 3, 3), {}, "direct"),
        ((1, 800, 12, 12), (20, 400, 3, 3), {"groups": 2}, "direct"),
        ((1, 20, 50, 50), (20, 1, 45, 45), {"groups": 20}, "direct"),
    ],
)
@pytest.mark.parametrize("layout", ["nchw", "nhwc"])
def test_convolutions(rng, kind, src, weights, options, algorithm, layout):
    x, w = data(rng, kind, *src), data(rng, kind, *weights)
    conv = Conv2d(src if layout == "nchw" else (src[0], *src[2:], src[1]), weights, layout=layout,
                  attr=PrimitiveAttr(algorithm=algorithm), **options)
    result = conv(x if layout == "nchw" else x.transpose(0, 2, 3, 1), w)
    result = result if layout == "nchw" else result.transpose(0, 3, 1, 2)
    d = conv.descriptor
    problem = {"stride": d.stride, "padding": d.padding, "dilation": d.dilation,
               "groups": d.groups}
    exact, magnitudes = conv2d(x, w, None, **problem), conv2d(np.abs(x), np.abs(w), None, **problem)
    assert error(result, exact, magnitudes) < MOST


@pytest.mark.parametrize("kind", ["positive", "normal"])
@pytest.mark.parametrize("side", [8, 9, 64, 224])
@pytest.mark.parametrize("layout", ["nchw", "nhwc"])
def test_averages(rng, kind, side, layout):
    x = data(rng, kind, 1, side, side, 70)
    wide = x.astype(float)
    exact = wide.mean((1, 2), keepdims=True)
    magnitudes = np.abs(wide).mean((1, 2), keepdims=True)
    if layout == "nchw":
        x, exact, magnitudes = (y.transpose(0, 3, 1, 2) for y in (x, exact, magnitudes))
    average = Pool2d(x.shape, side, mode="average", layout=layout)
    assert error(average(x), exact, magnitudes) < 1.5e-7


@pytest.mark.parametrize("n", [1000, 2048, 2049, 1_000_000])
def test_softmax(rng, n):
    x = data(rng, "positive", 3, n)
    exact = np.exp(x.astype(float) - x.max(1, keepdims=True))
    exact /= exact.sum(1, keepdims=True)
    assert error(Softmax(x.shape)(x), exact, exact) < 1.5e-7
