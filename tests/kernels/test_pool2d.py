"""Pool2d against NumPy, and the same bits however it is called."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernels import Pool2d
from threadpool_iface import EigenLikePool, OmpLikePool, PrimitiveAttr, Stream, threadpool

from .references import rand, same_bits
from .strategies import bounds, laid_out, layouts

MODES = ("max", "average", "average_include_padding")


def pool2d(src, window, stride, pads, mode):
    """In float64, NCHW."""
    (kh, kw), (sh, sw), (top, bottom, left, right) = window, stride, pads
    n, c, ih, iw = src.shape
    padded = np.full((n, c, ih + top + bottom, iw + left + right), np.nan)
    padded[:, :, top : top + ih, left : left + iw] = src
    inside = np.zeros(padded.shape[2:], bool)
    inside[top : top + ih, left : left + iw] = True
    oh, ow = (padded.shape[2] - kh) // sh + 1, (padded.shape[3] - kw) // sw + 1
    out = np.empty((n, c, oh, ow))
    for y in range(oh):
        for x in range(ow):
            where = np.s_[y * sh : y * sh + kh, x * sw : x * sw + kw]
            taps = padded[:, :, *where][:, :, inside[where]]
            if mode == "max":
                out[:, :, y, x] = taps.max(-1)
            else:
                divisor = kh * kw if mode == "average_include_padding" else taps.shape[-1]
                out[:, :, y, x] = taps.sum(-1) / divisor
    return out


@given(
    n=st.integers(0, 2), channels=st.sampled_from([0, 1, 3, 16, 33, 70]), h=st.integers(1, 12),
    w=st.integers(1, 12), window=st.sampled_from([1, 2, 3, (2, 3), (3, 1)]),
    stride=st.sampled_from([None, 1, 2, (1, 3)]), padding=st.sampled_from([0, 0, 1, (0, 1, 0, 1)]),
    mode=st.sampled_from(MODES), layout=st.sampled_from(["nchw", "nhwc"]), bound=bounds,
    ls=layouts, lo=layouts, seed=st.integers(0, 99),
)
def test_agrees_with_float64_for_any_problem_and_layout(
    n, channels, h, w, window, stride, padding, mode, layout, bound, ls, lo, seed
):
    size = window if isinstance(window, tuple) else (window, window)
    step = size if stride is None else stride if isinstance(stride, tuple) else (stride, stride)
    pads = padding if isinstance(padding, tuple) else (padding,) * 4
    if pads[0] + pads[1] >= size[0] or pads[2] + pads[3] >= size[1]:
        padding, pads = 0, (0,) * 4
    h, w = max(h, size[0]), max(w, size[1])
    src = rand(np.random.default_rng(seed), n, channels, h, w)
    expected = pool2d(src, size, step, pads, mode)
    if layout == "nhwc":
        src, expected = (np.ascontiguousarray(x.transpose(0, 2, 3, 1)) for x in (src, expected))
    pool = Pool2d(src.shape, window, mode=mode, stride=stride, padding=padding, layout=layout,
                  attr=PrimitiveAttr(max_num_threads=bound))
    out = laid_out(np.zeros(expected.shape, np.float32), "gaps" if lo == "read-only" else lo)
    assert pool(laid_out(src, ls), out=out) is out
    assert np.allclose(np.array(out), expected, rtol=1e-6, atol=1e-6)
    assert mode != "max" or (np.array(out) == expected.astype(np.float32)).all()


@pytest.mark.filterwarnings("ignore::threadpool_iface.OversubscriptionWarning")
@pytest.mark.parametrize("mode", MODES)
def test_created_for_n_run_on_m_gives_the_same_bits(mode):
    src = rand(np.random.default_rng(4), 3, 21, 17, 40)
    reference = None
    pools = [None, *(kind(n) for kind in (OmpLikePool, EigenLikePool) for n in (1, 3, 8))]
    for bound in (None, 0, 1, 2, 8):
        for decomposition in ("creation", "execution"):
            pool = Pool2d(src.shape, 3, mode=mode, stride=2, padding=1, layout="nhwc",
                          attr=PrimitiveAttr(max_num_threads=bound, decomposition=decomposition))
            for threads in pools:
                with threadpool(threads):
                    results = [pool(src), pool(np.asfortranarray(src))]
                results.append(pool(src, stream=Stream(threads)))
                reference = results[0] if reference is None else reference
                assert all(same_bits(r, reference) for r in results)


def test_the_window_of_the_image_is_global_pooling():
    src = rand(np.random.default_rng(5), 2, 7, 9, 50)
    pool = Pool2d(src.shape, (7, 9), mode="average", layout="nhwc")
    assert pool.descriptor.out_shape == (2, 1, 1, 50)
    assert np.allclose(pool(src)[:, 0, 0], src.mean((1, 2)), atol=1e-6)


@pytest.mark.parametrize("layout", ["nchw", "nhwc"])
def test_nan_and_infinities_reach_the_windows_that_cover_them(layout):
    src = np.zeros((1, 1, 6, 6), np.float32)
    src[0, 0, 0, 0], src[0, 0, 2, 2], src[0, 0, 5, 5] = np.nan, np.inf, -np.inf
    shaped = src if layout == "nchw" else src.transpose(0, 2, 3, 1)
    largest = Pool2d(shaped.shape, 2, layout=layout)(shaped).reshape(3, 3)
    assert np.isnan(largest[0, 0])
    assert largest[1, 1] == np.inf
    assert largest[2, 2] == 0
    mean = Pool2d(shaped.shape, 2, mode="average", layout=layout)(shaped).reshape(3, 3)
    assert np.isnan(mean[0, 0])
    assert (mean[1, 1], mean[2, 2]) == (np.inf, -np.inf)


@pytest.mark.parametrize(("arguments", "error", "words"), [
    (((1, 4, 4, 4), 5), ValueError, "height of 5 does not fit"),
    (((1, 4, 4), 2), ValueError, "src_shape"),
    (((1, 4, 4, 4), 0), ValueError, "window"),
    (((1, 4, 4, 4), 2.0), TypeError, "window"),
    (((1, 4, 4, 4), 2, {"padding": 2}), ValueError, "padding (2, 2, 2, 2) must be less than"),
    (((1, 4, 4, 4), 2, {"stride": 0}), ValueError, "stride"),
    (((1, 4, 4, 4), 2, {"mode": "min"}), ValueError, "mode must be one of"),
    (((1, 4, 4, 4), 2, {"mode": None}), TypeError, "mode must be one of"),
    (((1, 4, 4, 4), 2, {"layout": "hwcn"}), ValueError, "layout must be"),
    (((1, 4, 4, 4), 2, {"dtype": "int8"}), (TypeError, ValueError), "dtype"),
])
def test_what_makes_no_sense_is_refused(arguments, error, words):
    shape, window, *rest = arguments
    with pytest.raises(error) as caught:
        Pool2d(shape, window, **(rest[0] if rest else {}))
    assert words in str(caught.value)


def test_operands_are_checked():
    pool = Pool2d((1, 4, 4, 4), 2)
    src = np.zeros((1, 4, 4, 4), np.float32)
    with pytest.raises(TypeError, match="src must have dtype float32"):
        pool(src.astype(float))
    with pytest.raises(ValueError, match="out must have shape"):
        pool(src, out=src)
    with pytest.raises(ValueError, match="overlaps an input"):
        pool(src, out=src[:, :, :2, :2])


def test_a_call_is_named_in_verbose_lines(capsys):
    from threadpool_iface import set_verbose

    pool = Pool2d((1, 8, 8, 4), 3, mode="average", stride=2, padding=1, layout="nhwc")
    set_verbose(1)
    try:
        pool(np.zeros((1, 8, 8, 4), np.float32))
    finally:
        set_verbose(0)
    fields = capsys.readouterr().out.split(",")
    assert fields[1:5] == ["exec", "pooling", pool.kernel_name, "--tag=nhwc --alg=pooling_avg_"
                           "exclude_padding mb1ic4ih8iw8oh4ow4kh3kw3sh2sw2ph1pw1"]
