"""Matmul against float64, and the same bits however it is called."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernels import Matmul, Sum, matmul
from threadpool_iface import (
    EigenLikePool,
    OmpLikePool,
    PrimitiveAttr,
    Stream,
    get_threadpool,
    threadpool,
)

from .references import FUNCTIONS, assert_close, post, rand, same_bits
from .strategies import bounds, depths, extents, laid_out, layouts, post_ops


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@given(
    m=extents, n=extents, k=depths, ta=st.booleans(), tb=st.booleans(), bias=st.booleans(),
    ops=post_ops, bound=bounds, packed=st.booleans(), la=layouts, lb=layouts, lo=layouts,
    seed=st.integers(0, 99),
)
def test_agrees_with_float64_for_any_shape_and_layout(
    dtype, m, n, k, ta, tb, bias, ops, bound, packed, la, lb, lo, seed
):
    if dtype is np.float64 and any(op in FUNCTIONS for op in ops):
        ops = ("relu",)
    rng = np.random.default_rng(seed)
    a, b, v, before = (rand(rng, *shape).astype(dtype) for shape in ((m, k), (k, n), (n,), (m, n)))
    v = v if bias else None
    expected = a.astype(np.float64) @ b.astype(np.float64) + (0 if v is None else v)
    given_a, given_b = laid_out(a.T if ta else a, la), laid_out(b.T if tb else b, lb)
    mm = Matmul(given_a.shape, given_b.shape, transpose_a=ta, transpose_b=tb, bias=bias,
                post_ops=ops, dtype=dtype, attr=PrimitiveAttr(max_num_threads=bound))
    out = laid_out(before, "gaps" if lo == "read-only" else lo)
    result = mm(given_a, mm.pack_weights(given_b) if packed else given_b, v, out=out)
    assert result is out
    assert_close(np.array(result), post(expected, ops, before), k)


@pytest.mark.parametrize(
    ("a_shape", "b_shape"),
    [
        ((3, 5, 7), (3, 7, 9)), ((2, 1, 5, 7), (3, 7, 70)), ((5, 7), (4, 7, 9)),
        ((4, 2, 33, 20), (20, 130)), ((0, 3, 4), (4, 5)), ((1, 3, 4), (6, 4, 5)),
        ((2, 3, 1, 9, 4), (1, 3, 2, 4, 66)), ((7, 1, 1), (1, 1, 1)),
    ],
)
@pytest.mark.parametrize("bound", [0, 1, 5])
def test_batch_dimensions_broadcast_as_in_numpy(a_shape, b_shape, bound):
    rng = np.random.default_rng(0)
    a, b = rand(rng, *a_shape), rand(rng, *b_shape)
    mm = Matmul(a_shape, b_shape, attr=PrimitiveAttr(max_num_threads=bound))
    expected = np.matmul(a.astype(np.float64), b.astype(np.float64))
    assert_close(mm(a, b), expected, a_shape[-1])
    assert same_bits(mm(a, mm.pack_weights(b)), mm(a, b))
    flipped = a[::-1]
    assert same_bits(mm(flipped, b), mm(flipped.copy(), b))


def test_batch_axes_of_any_stride_give_the_same_bits():
    rng = np.random.default_rng(1)
    a, b = rand(rng, 6, 8, 3), rand(rng, 9, 8, 3)  # batch is the last axis
    mm = Matmul((3, 6, 8), (3, 8, 9))
    moved = mm(a.transpose(2, 0, 1), b.transpose(2, 1, 0))
    plain = mm(np.ascontiguousarray(a.transpose(2, 0, 1)),
               np.ascontiguousarray(b.transpose(2, 1, 0)))
    assert same_bits(moved, plain)


@pytest.fixture(scope="module")
def pools():
    made = {(kind.__name__, n): kind(n) for kind in (OmpLikePool, EigenLikePool)
            for n in (1, 2, 3, 8)}
    yield {None: None, **made}
    for pool in made.values():
        pool.close()


SHAPES = [(1, 200, 700), (4, 70, 9), (20, 70, 500), (37, 150, 800), (64, 64, 64), (250, 10, 33),
          (6, 64, 1)]


@pytest.mark.filterwarnings("ignore::threadpool_iface.OversubscriptionWarning")
@pytest.mark.parametrize(("shape", "dtype"), [
    *((shape, "float32") for shape in SHAPES), ((37, 150, 800), "float64"), ((3, 70, 9), "float64"),
    ((20, 33, 9000), "float32"), ((3, 20, 5000), "float32"), ((9, 20, 4100), "float64"),
], ids=str)
def test_created_for_n_run_on_m_gives_the_same_bits(shape, dtype, pools):
    m, n, k = shape
    rng = np.random.default_rng(2)
    a, b, v = (rand(rng, *shape).astype(dtype) for shape in ((m, k), (k, n), (n,)))
    reference = None
    for bound in (None, 0, 1, 2, 3, 8):
        for decomposition in ("creation", "execution"):
            attr = PrimitiveAttr(max_num_threads=bound, decomposition=decomposition)
            mm = Matmul((m, k), (k, n), dtype=dtype, bias=True, post_ops=("relu",), attr=attr)
            packed = mm.pack_weights(b)
            for pool in pools.values():
                with threadpool(pool):
                    results = [mm(a, b, v), mm(a, packed, v), mm(a, np.asfortranarray(b), v)]
                results.append(mm(a, b, v, stream=Stream(pool)))
                reference = results[0] if reference is None else reference
                assert all(same_bits(r, reference) for r in results), (bound, pool)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("bound", [0, 1, 2, 5])
@pytest.mark.parametrize("m", [1, 3, 20, 50])
@pytest.mark.parametrize("ops", [(), ("relu",), (Sum(0.5), "relu")])
def test_a_deep_product_is_the_sum_of_slices(dtype, bound, m, ops):
    rng = np.random.default_rng(m)
    a, b = rand(rng, m, 5000).astype(dtype), rand(rng, 5000, 29).astype(dtype)
    v, before = rand(rng, 29).astype(dtype), rand(rng, m, 29).astype(dtype)
    mm = Matmul(a.shape, b.shape, dtype=dtype, bias=True, post_ops=ops,
                attr=PrimitiveAttr(max_num_threads=bound))
    assert mm.decomposition.dims == ("k", "m", "n")
    expected = post(a.astype(np.float64) @ b.astype(np.float64) + v, ops, before)
    with OmpLikePool(2) as pool, threadpool(pool):
        for weights in (b, np.asfortranarray(b), mm.pack_weights(b)):
            out = before.copy()
            assert_close(mm(a, weights, v, out=out), expected, 5000)


def test_packed_weights_are_a_snapshot():
    rng = np.random.default_rng(3)
    a, b = rand(rng, 4, 5), rand(rng, 5, 6)
    mm = Matmul((4, 5), (5, 6))
    packed, before = mm.pack_weights(b), mm(a, b)
    b[:] = 0
    assert same_bits(mm(a, packed), before)


def test_packed_weights_serve_every_primitive_of_their_layout_and_no_other():
    b = np.ones((5, 6), np.float32)
    packed = Matmul((4, 5), (5, 6)).pack_weights(b)
    other = Matmul((9, 5), (5, 6), bias=True, attr=PrimitiveAttr(max_num_threads=3))
    result = other(np.ones((9, 5), np.float32), packed, np.zeros(6, np.float32))
    assert (result == 5).all()
    with pytest.raises(ValueError, match="layout"):
        Matmul((4, 6), (6, 5))(np.ones((4, 6), np.float32), packed)


def test_non_finite_values_reach_exactly_their_rows_and_columns():
    a, b = np.ones((9, 400), np.float32), np.ones((400, 70), np.float32)
    a[3, 5], b[7, 66] = np.nan, np.inf
    y = Matmul((9, 400), (400, 70))(a, b)
    assert np.isnan(y[3]).all()
    assert np.isinf(np.delete(y[:, 66], 3)).all()
    assert np.isfinite(np.delete(np.delete(y, 3, 0), 66, 1)).all()


def test_denormals_are_neither_flushed_nor_taken_for_zero():
    a, b = np.full((3, 5), 1e-30, np.float32), np.full((5, 40), 1e-12, np.float32)
    expected = a.astype(np.float64) @ b.astype(np.float64)
    assert 0 < expected[0, 0] < np.finfo(np.float32).tiny
    tiny = Matmul(a.shape, b.shape)(a, b)
    assert np.allclose(tiny, expected, rtol=1e-3)
    assert np.allclose(Matmul((3, 40), (40, 2))(tiny, np.full((40, 2), 1e30, np.float32)),
                       expected[0, 0] * 40e30, rtol=1e-3)


def test_relu_keeps_nan():
    mm = Matmul((1, 1), (1, 2), post_ops=("relu",))
    y = mm(np.float32([[1]]), np.float32([[np.nan, -1]]))
    assert np.isnan(y[0, 0])
    assert y[0, 1] == 0


def test_sum_scale_is_beta():
    mm = Matmul((2, 3), (3, 2), post_ops=(Sum(-0.25),))
    out = np.full((2, 2), 8, np.float32)
    mm(np.ones((2, 3), np.float32), np.ones((3, 2), np.float32), out=out)
    assert (out == 1).all()


def test_one_shot_uses_the_pool_it_is_given_and_leaves_the_active_one():
    a = np.eye(70, dtype=np.float32)
    with OmpLikePool(2) as active, EigenLikePool(2) as given_pool, threadpool(active):
        for kwargs in ({}, {"threadpool": None}, {"threadpool": given_pool}):
            assert (matmul(a, a, **kwargs) == a).all()
            assert get_threadpool() is active


def test_one_shot_takes_the_dtype_of_its_operands():
    a = np.full((3, 3), 1 / 3)
    assert np.allclose(matmul(a, a), a, rtol=1e-15)
    with pytest.raises(TypeError, match="b must have dtype float64, not float32"):
        matmul(a, a.astype(np.float32))


def test_one_shot_refuses_what_is_not_a_pool():
    a = np.eye(2, dtype=np.float32)
    with pytest.raises(TypeError, match="threadpool"):
        matmul(a, a, threadpool=3)
    with pytest.raises(TypeError, match="a must be a NumPy array"):
        matmul([[1.0]], a)
