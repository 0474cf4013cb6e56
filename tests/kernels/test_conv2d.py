"""Conv2d against float64, and the same bits however it is called."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernels import Conv2d, cache_clear
from kernels.convolution import plan
from threadpool_iface import EigenLikePool, OmpLikePool, PrimitiveAttr, Stream, threadpool

from .references import assert_close, conv2d, post, rand, same_bits
from .strategies import bounds, convolutions, laid_out, layouts, post_ops


def _pair(value):
    return value if isinstance(value, tuple) else (value, value)


@given(
    problem=convolutions(), layout=st.sampled_from(["nchw", "nhwc"]), bias=st.booleans(),
    ops=post_ops, bound=bounds, packed=st.booleans(), ls=layouts, lw=layouts, lo=layouts,
    seed=st.integers(0, 99),
)
def test_agrees_with_float64_for_any_problem_and_layout(
    problem, layout, bias, ops, bound, packed, ls, lw, lo, seed
):
    rng = np.random.default_rng(seed)
    src, weights = rand(rng, *problem.src_shape), rand(rng, *problem.weights_shape)
    v = rand(rng, len(weights)) if bias else None
    options = problem.keywords
    expected = conv2d(src, weights, v, stride=_pair(options["stride"]), padding=problem.pads,
                      dilation=_pair(options["dilation"]), groups=options["groups"])
    before = rand(rng, *expected.shape)
    expected = post(expected, ops, before)
    if layout == "nhwc":
        src, expected, before = (np.ascontiguousarray(x.transpose(0, 2, 3, 1))
                                 for x in (src, expected, before))
    conv = Conv2d(src.shape, weights.shape, layout=layout, bias=bias, post_ops=ops,
                  attr=PrimitiveAttr(max_num_threads=bound), **options)
    given_weights = laid_out(weights, lw)
    if packed:
        given_weights = conv.pack_weights(given_weights)
    out = laid_out(before, "gaps" if lo == "read-only" else lo)
    result = conv(laid_out(src, ls), given_weights, v, out=out)
    assert result is out
    assert_close(np.array(result), expected, weights[0].size if len(weights) else 1)


@pytest.fixture(scope="module")
def pools():
    made = [kind(n) for kind in (OmpLikePool, EigenLikePool) for n in (1, 2, 3, 8)]
    yield [None, *made]
    for pool in made:
        pool.close()


PROBLEMS = [
    ((1, 3, 30, 30), (64, 3, 7, 7), {"stride": 2, "padding": 3}),
    ((1, 64, 14, 14), (70, 64, 3, 3), {"padding": 1}),
    ((2, 96, 7, 7), (200, 96, 1, 1), {}),
    ((1, 70, 12, 9), (70, 1, 3, 3), {"groups": 70, "padding": 1}),
    ((1, 600, 3, 3), (32, 300, 3, 3), {"groups": 2, "padding": 1, "dilation": 2}),
]


@pytest.mark.filterwarnings("ignore::threadpool_iface.OversubscriptionWarning")
@pytest.mark.parametrize("problem", PROBLEMS, ids=lambda p: "x".join(map(str, p[0])))
@pytest.mark.parametrize("layout", ["nchw", "nhwc"])
def test_created_for_n_run_on_m_gives_the_same_bits(problem, layout, pools):
    src_shape, weights_shape, options = problem
    rng = np.random.default_rng(4)
    src, weights = rand(rng, *src_shape), rand(rng, *weights_shape)
    v = rand(rng, weights_shape[0])
    if layout == "nhwc":
        src = np.ascontiguousarray(src.transpose(0, 2, 3, 1))
    reference = None
    for bound in (None, 0, 1, 2, 3, 8):
        for decomposition in ("creation", "execution"):
            attr = PrimitiveAttr(max_num_threads=bound, decomposition=decomposition)
            conv = Conv2d(src.shape, weights_shape, layout=layout, bias=True, post_ops=("relu",),
                          attr=attr, **options)
            packed = conv.pack_weights(weights)
            for pool in pools:
                with threadpool(pool):
                    results = [conv(src, weights, v), conv(src, packed, v)]
                results.append(conv(src, packed, v, stream=Stream(pool)))
                reference = results[0] if reference is None else reference
                assert all(same_bits(r, reference) for r in results), (bound, pool)


SLIVERS = [
    ((2, 70, 7, 7), (130, 70, 3, 3), {"padding": 1}),
    ((1, 64, 7, 6), (64, 64, 5, 5), {"padding": 2, "stride": (2, 1)}),
    ((1, 600, 3, 3), (32, 300, 3, 3), {"groups": 2, "padding": 3, "dilation": 2}),
    ((1, 9, 13, 31), (20, 9, 3, 3), {"padding": (4, 0, 0, 5)}),
    ((1, 520, 2, 2), (5, 520, 1, 1), {"padding": 1}),
]


@pytest.mark.parametrize("problem", SLIVERS, ids=lambda p: "x".join(map(str, p[0])))
@pytest.mark.parametrize("layout", ["nchw", "nhwc"])
@pytest.mark.parametrize("ops", [(), ("sum", "silu")])
def test_tap_by_tap_computes_what_rectangles_do(problem, layout, ops, monkeypatch):
    src_shape, weights_shape, options = problem
    rng = np.random.default_rng(7)
    src, weights = rand(rng, *src_shape), rand(rng, *weights_shape)
    v, before = rand(rng, weights_shape[0]), None
    if layout == "nhwc":
        src = np.ascontiguousarray(src.transpose(0, 2, 3, 1))
    results = []
    for chosen in (False, True):
        monkeypatch.setattr(plan, "by_taps", lambda d, chosen=chosen: chosen)
        cache_clear()
        conv = Conv2d(src.shape, weights_shape, layout=layout, bias=True, post_ops=ops,
                      attr=PrimitiveAttr(max_num_threads=3), **options)
        before = rand(rng, *conv.descriptor.out_shape) if before is None else before
        with OmpLikePool(2) as pool, threadpool(pool):
            results.append(conv(src, weights, v, out=before.copy()))
    cache_clear()
    assert_close(*results, int(np.prod(weights_shape[1:])))


@pytest.mark.parametrize("layout", ["nchw", "nhwc"])
@pytest.mark.parametrize("channels", [1, 3, 40, 70])
def test_padding_contributes_nothing_even_to_infinite_weights(layout, channels):
    weights = np.ones((5, channels, 3, 3), np.float32)
    weights[:, :, 0, 0] = np.inf
    shape = (1, channels, 6, 6) if layout == "nchw" else (1, 6, 6, channels)
    conv = Conv2d(shape, weights.shape, padding=1, layout=layout)
    y = conv(np.ones(shape, np.float32), weights)
    y = y if layout == "nchw" else y.transpose(0, 3, 1, 2)
    assert np.isfinite(y[..., 0, :]).all()
    assert np.isfinite(y[..., :, 0]).all()
    assert np.isposinf(y[..., 1:, 1:]).all()


def test_a_nan_pixel_reaches_exactly_the_windows_that_cover_it():
    src = np.ones((1, 9, 9, 16), np.float32)
    src[0, 4, 5, 7] = np.nan
    y = Conv2d(src.shape, (20, 16, 3, 3), padding=1, layout="nhwc")(
        src, np.ones((20, 16, 3, 3), np.float32))
    expected = np.zeros((9, 9), bool)
    expected[3:6, 4:7] = True
    assert (np.isnan(y[0]).all(-1) == expected).all()
    assert (np.isnan(y[0]).any(-1) == expected).all()


def test_windows_entirely_in_the_padding_give_the_bias():
    conv = Conv2d((1, 2, 1, 1), (3, 2, 1, 1), padding=2, bias=True)
    y = conv(np.ones((1, 2, 1, 1), np.float32), np.ones((3, 2, 1, 1), np.float32),
             np.float32([1, 2, 3]))
    assert (y[0, :, 0, 0] == [1, 2, 3]).all()
    assert (y[0, :, 2, 2] == [3, 4, 5]).all()


def test_packed_weights_serve_any_input_size_and_layout():
    rng = np.random.default_rng(5)
    weights = rand(rng, 24, 8, 3, 3)
    packed = Conv2d((1, 8, 9, 9), weights.shape).pack_weights(weights)
    src = rand(rng, 2, 5, 6, 8)
    conv = Conv2d(src.shape, weights.shape, layout="nhwc", stride=2)
    assert same_bits(conv(src, packed), conv(src, weights))
    with pytest.raises(ValueError, match="layout"):
        Conv2d((1, 8, 9, 9), (24, 8, 1, 1))(np.zeros((1, 8, 9, 9), np.float32), packed)


def test_agrees_with_torch():
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(6)
    src, weights, v = rand(rng, 2, 12, 11, 13), rand(rng, 21, 4, 3, 5), rand(rng, 21)
    conv = Conv2d(src.shape, weights.shape, stride=(2, 1), padding=(1, 2), groups=3, bias=True)
    expected = torch.nn.functional.conv2d(
        *map(torch.from_numpy, (src, weights, v)), (2, 1), (1, 2), 1, 3).numpy()
    assert_close(conv(src, weights, v), expected, 60)
