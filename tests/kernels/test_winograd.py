"""Winograd convolutions against float64, their rule, and the same bits however they are called."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernels import Conv2d
from kernels.convolution.algorithm import DIRECT
from threadpool_iface import EigenLikePool, OmpLikePool, PrimitiveAttr, threadpool

from .references import conv2d, post, rand, same_bits
from .strategies import bounds, laid_out, layouts, post_ops

WINOGRAD = PrimitiveAttr(algorithm="winograd")
#: Of the largest output, on inputs of variance 1 and weights that keep it: what `auto` promises.
TOLERANCE = 5e-6


def scaled_weights(rng, *shape):
    depth = shape[1] * shape[2] * shape[3]
    return (rand(rng, *shape) / np.sqrt(max(1, depth))).astype(np.float32)


kernel_sizes = st.one_of(st.just((3, 3)), st.tuples(st.just(1), st.integers(5, 8)),
                         st.tuples(st.integers(5, 8), st.just(1)))


@given(
    n=st.integers(0, 2), ic=st.sampled_from([0, 1, 3, 16, 33, 70, 600]),
    oc=st.sampled_from([0, 1, 5, 16, 64, 70, 130]), h=st.integers(3, 12),
    w=st.one_of(st.integers(3, 12), st.integers(18, 30)),
    padding=st.sampled_from([0, 1, 2, (1, 0), (0, 2, 1, 3), (4, 0, 0, 5)]),
    large=st.booleans(), size=kernel_sizes, layout=st.sampled_from(["nchw", "nhwc"]),
    bias=st.booleans(), ops=post_ops, bound=bounds, packed=st.booleans(), ls=layouts, lw=layouts,
    lo=layouts, seed=st.integers(0, 99),
)
def test_agrees_with_float64_for_any_problem_and_layout(
    n, ic, oc, h, w, padding, large, size, layout, bias, ops, bound, packed, ls, lw, lo, seed
):
    rng = np.random.default_rng(seed)
    h += 20 * large  # tiles of 4x4 where both sides are long
    h, w = max(h, size[0]), max(w, size[1])
    src, weights = rand(rng, n, ic, h, w), scaled_weights(rng, oc, ic, *size)
    v = rand(rng, oc) if bias else None
    pads = padding if isinstance(padding, tuple) else (padding, padding)
    pads = pads if len(pads) == 4 else (pads[0], pads[0], pads[1], pads[1])
    expected = conv2d(src, weights, v, stride=(1, 1), padding=pads, dilation=(1, 1), groups=1)
    before = rand(rng, *expected.shape)
    expected = post(expected, ops, before)
    if layout == "nhwc":
        src, expected, before = (np.ascontiguousarray(x.transpose(0, 2, 3, 1))
                                 for x in (src, expected, before))
    conv = Conv2d(src.shape, weights.shape, padding=padding, layout=layout, bias=bias, post_ops=ops,
                  attr=PrimitiveAttr(max_num_threads=bound, algorithm="winograd"))
    given_weights = laid_out(weights, lw)
    if packed:
        given_weights = conv.pack_weights(given_weights)
    out = laid_out(before, "gaps" if lo == "read-only" else lo)
    conv(laid_out(src, ls), given_weights, v, out=out)
    if expected.size:
        scale = max(1.0, np.abs(expected).max())
        assert np.abs(np.array(out) - expected).max() <= 2 * TOLERANCE * scale


@pytest.mark.parametrize(("size", "ic", "oc"), [(56, 64, 64), (28, 128, 192), (14, 256, 256),
                                                (35, 96, 96), (17, 224, 256)])
def test_what_auto_chooses_keeps_its_error_bound(size, ic, oc):
    rng = np.random.default_rng(size)
    src, weights = rand(rng, 1, size, size, ic), scaled_weights(rng, oc, ic, 3, 3)
    conv = Conv2d(src.shape, weights.shape, padding=1, layout="nhwc")
    assert conv.kernel_name.startswith("winograd_f4x4" if size >= 20 else "winograd_f2x2")
    expected = conv2d(src.transpose(0, 3, 1, 2), weights, None, stride=(1, 1), padding=(1,) * 4,
                      dilation=(1, 1), groups=1).transpose(0, 2, 3, 1)
    assert np.abs(conv(src, weights) - expected).max() <= TOLERANCE * np.abs(expected).max()


@pytest.mark.parametrize("size", [(1, 7), (7, 1), (1, 5), (8, 1)])
@pytest.mark.parametrize(("side", "ic", "oc"), [(17, 224, 256), (73, 64, 64)])
def test_lines_keep_the_error_bound_too(size, side, ic, oc):
    rng = np.random.default_rng(side)
    src, weights = rand(rng, 1, side, side, ic), scaled_weights(rng, oc, ic, *size)
    pads = (size[0] // 2, size[1] // 2)
    conv = Conv2d(src.shape, weights.shape, padding=pads, layout="nhwc")
    assert conv.kernel_name.startswith(f"winograd_f{4 if size[0] > 1 else 1}x")
    expected = conv2d(src.transpose(0, 3, 1, 2), weights, None, stride=(1, 1), dilation=(1, 1),
                      padding=(pads[0], pads[0], pads[1], pads[1]), groups=1).transpose(0, 2, 3, 1)
    assert np.abs(conv(src, weights) - expected).max() <= TOLERANCE * np.abs(expected).max()


@pytest.fixture(scope="module")
def pools():
    made = [kind(n) for kind in (OmpLikePool, EigenLikePool) for n in (1, 2, 3, 8)]
    yield [None, *made]
    for pool in made:
        pool.close()


@pytest.mark.filterwarnings("ignore::threadpool_iface.OversubscriptionWarning")
@pytest.mark.parametrize(("size", "ic", "oc", "kernel"), [
    (29, 40, 70, (3, 3)), (14, 64, 200, (3, 3)), (13, 600, 33, (3, 3)), (17, 40, 70, (1, 7)),
    (21, 30, 70, (6, 1)),
])
def test_created_for_n_run_on_m_gives_the_same_bits(size, ic, oc, kernel, pools):
    rng = np.random.default_rng(4)
    src, weights, v = rand(rng, 2, size, size, ic), rand(rng, oc, ic, *kernel), rand(rng, oc)
    strided = np.asfortranarray(src)
    reference = None
    for bound in (None, 0, 1, 2, 3, 8):
        for decomposition in ("creation", "execution"):
            attr = PrimitiveAttr(max_num_threads=bound, decomposition=decomposition)
            conv = Conv2d(src.shape, weights.shape, padding=1, layout="nhwc", bias=True,
                          post_ops=("relu",), attr=attr)
            assert conv.algorithm != DIRECT
            packed = conv.pack_weights(weights)
            for pool in pools:
                # A Fortran order: channels are far apart, in the input and in the output.
                out = np.zeros(conv.descriptor.out_shape, np.float32, order="F")
                with threadpool(pool):
                    results = [conv(src, weights, v), conv(strided, packed, v, out=out)]
                reference = results[0] if reference is None else reference
                assert all(same_bits(np.array(r), reference) for r in results), (bound, pool)


def test_the_rule_looks_at_the_shape_and_the_attributes_alone():
    def name(size, channels, attr=PrimitiveAttr(), **options):  # noqa: B008
        shape = (1, size, size, channels) if options.get("layout", "nhwc") == "nhwc" else (
            1, channels, size, size)
        options = {"padding": 1, "layout": "nhwc", **options}
        weights = (channels, channels // options.get("groups", 1), 3, 3)
        return Conv2d(shape, weights, attr=attr, **options).kernel_name.split("_f32")[0]

    assert name(56, 64) == name(20, 64) == name(28, 32) == "winograd_f4x4"
    assert name(19, 64) == name(14, 256) == name(10, 64) == "winograd_f2x2"
    assert name(9, 64) == name(7, 512) == name(56, 8) == "direct"
    assert name(56, 64, stride=2) == name(56, 64, dilation=2) == "direct"
    assert name(56, 64, groups=2) == "direct"
    assert name(56, 64, layout="nchw") == "winograd_f4x4"
    assert name(56, 64, PrimitiveAttr(algorithm="direct")) == "direct"
    assert name(7, 4, WINOGRAD) == name(7, 4, WINOGRAD, layout="nchw") == "winograd_f2x2"

    def line(kernel, height=17, width=17, channels=32, attr=PrimitiveAttr()):  # noqa: B008
        made = Conv2d((1, height, width, channels), (32, channels, *kernel), layout="nhwc",
                      padding=(kernel[0] // 2, kernel[1] // 2), attr=attr)
        return made.kernel_name.split("_f32")[0]

    assert line((1, 7)) == line((1, 5)) == line((1, 7), height=2) == "winograd_f1x4"
    assert line((7, 1)) == line((7, 1), width=2) == "winograd_f4x1"
    assert line((1, 7), width=8) == line((1, 3)) == line((1, 9)) == line((1, 7), channels=8) == (
        "direct")
    assert line((1, 7), width=8, channels=2, attr=WINOGRAD) == "winograd_f1x4"


@pytest.mark.parametrize("options", [{"stride": 2}, {"dilation": 2}, {"groups": 2}])
def test_what_winograd_cannot_do_is_refused_at_creation(options):
    with pytest.raises(ValueError, match='algorithm="winograd" needs a 3x3 kernel, or one of 1x5'):
        Conv2d((1, 9, 9, 8), (8, 8 // options.get("groups", 1), 3, 3), layout="nhwc",
               attr=WINOGRAD, **options)
    with pytest.raises(ValueError, match="3x3"):
        Conv2d((1, 9, 9, 8), (8, 8, 5, 5), layout="nhwc", attr=WINOGRAD)


def test_an_unknown_algorithm_is_refused():
    with pytest.raises(ValueError, match=r'algorithm must be "auto", "direct" or "winograd".*fft'):
        PrimitiveAttr(algorithm="fft")
    with pytest.raises(TypeError, match="algorithm"):
        PrimitiveAttr(algorithm=4)


def test_packed_weights_of_another_algorithm_are_refused():
    weights = np.ones((8, 8, 3, 3), np.float32)
    direct = Conv2d((1, 9, 9, 8), weights.shape, layout="nhwc")
    transformed = Conv2d((1, 9, 9, 8), weights.shape, layout="nhwc", attr=WINOGRAD)
    src = np.ones((1, 9, 9, 8), np.float32)
    with pytest.raises(ValueError, match="winograd 2"):
        direct(src, transformed.pack_weights(weights))
    with pytest.raises(ValueError, match="winograd 2"):
        transformed(src, direct.pack_weights(weights))


def test_a_nan_pixel_stays_within_the_tiles_that_read_it():
    src = np.ones((1, 24, 24, 32), np.float32)
    src[0, 9, 13, 7] = np.nan
    conv = Conv2d(src.shape, (40, 32, 3, 3), padding=1, layout="nhwc", attr=WINOGRAD)
    assert conv.algorithm == 4
    y = conv(src, np.full((40, 32, 3, 3), 1e-3, np.float32))
    spread = np.isnan(y[0]).any(-1)
    assert np.isnan(y[0, 8:11, 12:15]).all()  # the windows that cover it
    # Tiles of 4x4 outputs read 6x6 inputs: rows 7..12 of tile row 2, columns 11..16 of column 3.
    allowed = np.zeros((24, 24), bool)
    allowed[8:12, 12:16] = True
    assert not (spread & ~allowed).any()
