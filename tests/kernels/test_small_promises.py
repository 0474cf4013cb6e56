"""Small promises: what `out` may be, the sign of zero, edges of functions, sizes of scratch."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.lib.stride_tricks import as_strided

import kernels
from kernels import (
    Binary,
    Concat,
    Conv2d,
    Eltwise,
    Matmul,
    Pool2d,
    Softmax,
)
from kernels.operands import _repeats

X = np.linspace(-1, 1, 64, dtype=np.float32).reshape(1, 4, 4, 4)
W = np.ones((4, 4, 1, 1), np.float32)
CALLS = {
    "Matmul": (lambda out: Matmul((4, 4), (4, 4))(X[0, 0], X[0, 1], out=out), (4, 4)),
    "matmul": (lambda out: kernels.matmul(X[0, 0], X[0, 1], out=out), (4, 4)),
    "Conv2d": (lambda out: Conv2d(X.shape, W.shape)(X, W, out=out), (1, 4, 4, 4)),
    "Pool2d": (lambda out: Pool2d(X.shape, 2, stride=2)(X, out=out), (1, 4, 2, 2)),
    "Eltwise": (lambda out: Eltwise(X.shape, ["tanh"])(X, out=out), X.shape),
    "Binary": (lambda out: Binary("add", X.shape, X.shape)(X, X, out=out), X.shape),
    "Softmax": (lambda out: Softmax(X.shape)(X, out=out), X.shape),
    "Concat": (lambda out: Concat([X.shape, X.shape], 1)([X, X], out=out), (1, 8, 4, 4)),
}


@pytest.mark.parametrize("name", CALLS)
def test_a_masked_out_is_refused_on_every_call(name):
    call, shape = CALLS[name]
    masked = np.ma.masked_array(np.zeros(shape, np.float32), mask=np.ones(shape, bool))
    for _ in range(2):
        with pytest.raises(TypeError, match="out is a masked array"):
            call(masked)
    out = np.zeros(shape, np.float32)
    assert call(out) is out


@pytest.mark.parametrize("name", CALLS)
def test_an_out_that_overlaps_itself_is_refused(name):
    call, shape = CALLS[name]
    room = np.zeros(4096, np.float32)
    strides = [4] * len(shape)  # neighbours along every axis: the diagonals meet
    with pytest.raises(ValueError, match="out overlaps itself"):
        call(as_strided(room, shape, strides))


@pytest.mark.parametrize(("shape", "strides"), [
    ((4, 4), (4, 4)), ((4, 4), (8, 4)), ((2, 3), (0, 4)), ((3, 2), (4, 8)), ((4, 4), (2, 64)),
    ((5, 5), (12, 8)), ((3, 3), (-4, 8)), ((2, 2, 2), (4, 8, 12)), ((4, 3), (12, 16)),
    ((4, 4), (12, 16)), ((2, 8), (30, 4)), ((3, 3), (4, 12)), ((3, 3), (-12, 4)), ((7,), (3,)),
])
def test_overlap_is_found_exactly(shape, strides):
    """Against the addresses of all bytes."""
    room = np.zeros(4096, np.int8)[2048:].view(np.float32)
    view = as_strided(room, shape, strides)
    first = [sum(i * s for i, s in zip(index, strides, strict=True))
             for index in np.ndindex(*shape)]
    taken = [start + byte for start in first for byte in range(4)]
    assert _repeats(view) == (len(set(taken)) < len(taken))


def test_tanh_keeps_the_sign_of_zero():
    for count in (1, 3, 16, 37):
        x = np.full(count, -0.0, np.float32)
        assert np.signbit(Eltwise(x.shape, ["tanh"])(x)).all()
        assert not np.signbit(Eltwise(x.shape, ["tanh"])(-x)).any()
    a, b = np.array([[-0.0]], np.float32), np.array([[1.0]], np.float32)
    y = Matmul((1, 1), (1, 1), post_ops=["tanh"])(a, b)
    assert y[0, 0] == 0


def test_a_product_that_packs_nothing_reserves_no_room_for_it():
    mm = Matmul((1, 2**29), (2**29, 1))  # 32 GiB packed
    assert 8 * mm._created.scratchpads.words < 2**20
    wide = Matmul((1024, 256), (256, 1024))
    assert 8 * wide._created.scratchpads.words > 4 * 256 * 1024


def test_silu_keeps_its_error_where_its_exponential_is_no_normal_number():
    x = np.linspace(-92, -80, 100_001).astype(np.float32)
    exact = x.astype(float) / (1 + np.exp(-x.astype(float)))
    result = Eltwise(x.shape, ["silu"])(x)
    assert np.abs(result / exact - 1).max() < 3e-7
    far = Eltwise((4,), ["silu"])(np.array([-1e30, -200, -0.0, np.inf], np.float32))
    np.testing.assert_array_equal(far, [0, 0, 0, np.inf])
    assert np.isnan(Eltwise((1,), ["silu"])(np.array([-np.inf], np.float32)))


def test_a_softmax_of_long_rows_has_no_scratch_for_them():
    assert 8 * Softmax((2, 1 << 28))._created.scratchpads.words < 1 << 16


@pytest.mark.parametrize("n", [3000, 65_000, 70_000])
def test_softmax_of_rows_that_are_not_contiguous_has_the_same_bits(n):
    x = np.random.default_rng(0).standard_normal((3, n)).astype(np.float32)
    softmax = Softmax((3, n))
    expected = softmax(x).tobytes()
    assert softmax(np.repeat(x, 2, 1)[:, ::2]).tobytes() == expected
    assert softmax(np.asfortranarray(x)).tobytes() == expected
    out = np.zeros((3, 2 * n), np.float32)[:, ::2]
    assert softmax(x, out=out).tobytes() == expected
    turned = Softmax((n, 3), 0)(np.ascontiguousarray(x.T))
    assert np.ascontiguousarray(turned.T).tobytes() == expected
