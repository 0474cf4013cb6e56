"""Each post-op over all magnitudes, against float64; arguments; and what it is called."""

from __future__ import annotations

import numpy as np
import pytest

from kernels import Clip, Conv2d, Function, Matmul, Sum

from .references import FUNCTIONS


def applied(op, values):
    """The post-op on each value: a product with 1."""
    mm = Matmul((len(values), 1), (1, 1), post_ops=(op,))
    return mm(values[:, None], np.ones((1, 1), np.float32))[:, 0]


def magnitudes():
    positive = np.concatenate([np.geomspace(1e-30, 120, 4000), np.linspace(0.01, 12, 4000)])
    return np.concatenate([-positive, [0.0], positive]).astype(np.float32)


@pytest.mark.parametrize(("name", "relative"), [
    ("sigmoid", 3e-7), ("silu", 4e-7), ("tanh", 4e-7), ("gelu", None), ("gelu_tanh", None)])
def test_functions_keep_their_documented_errors(name, relative):
    x = magnitudes()
    y = applied(name, x)
    with np.errstate(over="ignore"):
        expected = FUNCTIONS[name](x.astype(np.float64))
    error = np.abs(y - expected)
    if relative is None:
        assert (error <= 4e-7 * np.maximum(1, np.abs(x))).all()
    else:
        # A sigmoid that would be a denormal is 0.
        assert (error <= relative * np.abs(expected) + 4e-39 * np.maximum(1, np.abs(x))).all()
    assert np.isfinite(y).all()


@pytest.mark.parametrize("op", ["relu", "relu6", *FUNCTIONS, Clip(-1, 1)])
def test_nan_stays_nan_and_infinities_go_where_the_limit_is(op):
    y = applied(op, np.float32([np.nan, np.inf]))
    assert np.isnan(y[0])
    limits = {"relu": np.inf, "relu6": 6, "sigmoid": 1, "silu": np.inf, "tanh": 1, "gelu": np.inf,
              "gelu_tanh": np.inf}
    assert y[1] == (1 if isinstance(op, Clip) else limits[op])


def test_clip_is_exact_at_its_ends():
    x = np.float32([-3, -1, -0.5, 0, 2, 2.5, 7])
    assert (applied(Clip(-1, 2.5), x) == np.clip(x, -1, 2.5)).all()
    assert (applied("relu6", x) == np.clip(x, 0, 6)).all()


@pytest.mark.parametrize(("make", "error", "words"), [
    (lambda: Clip(2, 1), ValueError, "low must be at most high"),
    (lambda: Clip(float("nan"), 1), ValueError, "low must be at most high"),
    (lambda: Clip("0", 1), TypeError, "low must be a float"),
    (lambda: Function("exp2"), ValueError, "name must be one of"),
    (lambda: Matmul((1, 1), (1, 1), post_ops=("softplus",)), ValueError, "softplus"),
    (lambda: Matmul((1, 1), (1, 1), post_ops=(3,)), TypeError, "Function()"),
    (lambda: Matmul((1, 1), (1, 1), post_ops=Clip(0, 1)), TypeError, "must be a sequence"),
])
def test_bad_post_ops_are_refused(make, error, words):
    with pytest.raises(error) as caught:
        make()
    assert words in str(caught.value)


def test_they_are_named_as_benchdnn_does():
    ops = ("relu", "relu6", Sum(0.5), "sigmoid", "silu", "tanh", "gelu", "gelu_tanh")
    conv = Conv2d((1, 1, 1, 1), (1, 1, 1, 1), post_ops=ops)
    assert str(conv.descriptor).endswith(
        "--attr-post-ops=relu+clip:0:6+sum:0.5+logistic+swish:1+tanh+gelu_erf+gelu_tanh")
