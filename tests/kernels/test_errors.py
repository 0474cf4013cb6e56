"""Wrong arguments: an exception that names the argument, and nothing written."""

from __future__ import annotations

import numpy as np
import pytest

from kernels import Conv2d, Matmul, Sum, set_cache_capacity
from threadpool_iface import Decomposition, OmpLikePool, PoolClosedError, PrimitiveAttr, Stream

A, B = np.ones((4, 5), np.float32), np.ones((5, 6), np.float32)


@pytest.mark.parametrize(
    ("arguments", "error", "match"),
    [
        ((((4, 5), (6, 7)), {}), ValueError, "do not multiply"),
        ((((4, 5), (5,)), {}), ValueError, "b_shape"),
        ((((4, -1), (5, 6)), {}), ValueError, r"a_shape\[1\]"),
        ((((4, True), (5, 6)), {}), TypeError, r"a_shape\[1\]"),
        ((((4, 5.0), (5, 6)), {}), TypeError, r"a_shape\[1\]"),
        ((("45", (5, 6)), {}), TypeError, "a_shape"),
        (((7, (5, 6)), {}), TypeError, "a_shape"),
        ((((2, 4, 5), (3, 5, 6)), {}), ValueError, "broadcast"),
        ((((2**40, 2**40), (2**40, 1)), {}), ValueError, "elements"),
        ((((4, 5), (5, 6)), {"dtype": "float16"}), ValueError, "dtype"),
        ((((4, 5), (5, 6)), {"dtype": "float64", "post_ops": ("gelu",)}), ValueError,
         "'gelu', which is computed in float32 only"),
        ((((4, 5), (5, 6)), {"dtype": "no such type"}), TypeError, "dtype"),
        ((((4, 5), (5, 6)), {"bias": 1}), TypeError, "bias"),
        ((((4, 5), (5, 6)), {"transpose_a": None}), TypeError, "transpose_a"),
        ((((4, 5), (5, 6)), {"post_ops": "relu"}), TypeError, "post_ops"),
        ((((4, 5), (5, 6)), {"post_ops": ("tanhh",)}), ValueError, "tanhh"),
        ((((4, 5), (5, 6)), {"post_ops": (3,)}), TypeError, "post_ops"),
        ((((4, 5), (5, 6)), {"post_ops": ("relu",) * 16}), ValueError, "at most 15"),
        ((((4, 5), (5, 6)), {"attr": 4}), TypeError, "attr"),
    ],
)
def test_matmul_creation_names_what_is_wrong(arguments, error, match):
    positional, keywords = arguments
    with pytest.raises(error, match=match):
        Matmul(*positional, **keywords)


@pytest.mark.parametrize(
    ("src", "weights", "keywords", "error", "match"),
    [
        ((1, 3, 8), (4, 3, 1, 1), {}, ValueError, "src_shape must have 4"),
        ((1, 3, 8, 8), (4, 3, 1), {}, ValueError, "weights_shape must have 4"),
        ((1, 3, 8, 8), (4, 2, 1, 1), {}, ValueError, "3 channels"),
        ((1, 8, 8, 3), (4, 3, 1, 1), {}, ValueError, "8 channels"),
        ((1, 4, 8, 8), (5, 2, 1, 1), {"groups": 2}, ValueError, "groups"),
        ((1, 4, 8, 8), (4, 4, 1, 1), {"groups": 0}, ValueError, "groups"),
        ((1, 4, 8, 8), (4, 4, 0, 1), {}, ValueError, "empty kernel"),
        ((1, 4, 2, 8), (4, 4, 3, 3), {}, ValueError, "height"),
        ((1, 4, 8, 2), (4, 4, 3, 3), {}, ValueError, "width"),
        ((1, 4, 8, 8), (4, 4, 1, 1), {"stride": 0}, ValueError, "stride"),
        ((1, 4, 8, 8), (4, 4, 1, 1), {"stride": (1, 2, 3)}, ValueError, "stride"),
        ((1, 4, 8, 8), (4, 4, 1, 1), {"dilation": "2"}, TypeError, "dilation"),
        ((1, 4, 8, 8), (4, 4, 1, 1), {"padding": -1}, ValueError, "padding"),
        ((1, 4, 8, 8), (4, 4, 1, 1), {"padding": (1, 1, 1)}, ValueError, "padding"),
        ((1, 4, 8, 8), (4, 4, 1, 1), {"padding": "same"}, TypeError, "padding"),
        ((1, 4, 8, 8), (4, 4, 1, 1), {"layout": "NCHW"}, ValueError, "layout"),
        ((1, 4, 8, 8), (4, 4, 1, 1), {"layout": None}, TypeError, "layout"),
    ],
)
def test_conv2d_creation_names_what_is_wrong(src, weights, keywords, error, match):
    with pytest.raises(error, match=match):
        Conv2d(src, weights, **keywords)


@pytest.mark.parametrize(
    ("a", "b", "keywords", "error", "match"),
    [
        (A.astype(np.float64), B, {}, TypeError, "a must have dtype float32"),
        (A, B.astype(np.int32), {}, TypeError, "b must have dtype float32"),
        (A.T, B, {}, ValueError, "a must have shape"),
        (A, B[:, :5], {}, ValueError, "b must have shape"),
        (A.tolist(), B, {}, TypeError, "a must be a NumPy array"),
        (A, B, {"bias": np.ones(6, np.float32)}, ValueError, "bias was given"),
        (A, B, {"out": np.empty((4, 5), np.float32)}, ValueError, "out must have shape"),
        (A, B, {"out": np.empty((4, 6))}, TypeError, "out must have dtype"),
        (A, B, {"out": [[0.0]]}, TypeError, "out must be a NumPy array"),
        (A, B, {"stream": "here"}, TypeError, "stream"),
        (np.ma.masked_array(A), B, {}, TypeError, "masked"),
        (A.astype(">f4"), B, {}, TypeError, "a must have dtype float32"),
    ],
)
def test_matmul_call_names_what_is_wrong(a, b, keywords, error, match):
    with pytest.raises(error, match=match):
        Matmul((4, 5), (5, 6))(a, b, **keywords)


def test_missing_and_misshapen_bias():
    mm = Matmul((4, 5), (5, 6), bias=True)
    with pytest.raises(ValueError, match="bias is missing"):
        mm(A, B)
    with pytest.raises(ValueError, match="bias must have shape"):
        mm(A, B, np.ones(4, np.float32))


def test_read_only_out_is_refused_and_kept():
    out = np.full((4, 6), 7, np.float32)
    out.flags.writeable = False
    with pytest.raises(ValueError, match="read-only"):
        Matmul((4, 5), (5, 6))(A, B, out=out)
    assert (out == 7).all()


def test_out_that_overlaps_an_input_is_refused_and_kept():
    square = np.arange(16, dtype=np.float32).reshape(4, 4)
    other = np.ones((4, 4), np.float32)
    for out, a, b in ((square, square, other), (square[::-1], other, square),
                      (square.T, square, other)):
        before = square.copy()
        with pytest.raises(ValueError, match="overlaps"):
            Matmul((4, 4), (4, 4))(a, b, out=out)
        assert (square == before).all()


def test_out_beside_an_input_in_the_same_buffer_is_fine():
    buffer = np.ones((4, 8), np.float32)
    Matmul((4, 4), (4, 4))(buffer[:, :4], np.eye(4, dtype=np.float32), out=buffer[:, 4:])
    assert (buffer == 1).all()


def test_out_whose_elements_share_memory_is_refused():
    out = np.broadcast_to(np.zeros(6, np.float32), (4, 6))
    out.flags.writeable = True
    with pytest.raises(ValueError, match="overlaps itself"):
        Matmul((4, 5), (5, 6))(A, B, out=out)


def test_sum_needs_out():
    with pytest.raises(ValueError, match="out is missing"):
        Matmul((4, 5), (5, 6), post_ops=("sum",))(A, B)


@pytest.mark.parametrize("scale", [float("nan"), float("inf")])
def test_sum_scale_must_be_finite(scale):
    with pytest.raises(ValueError, match="finite"):
        Sum(scale)


@pytest.mark.parametrize("bound", [-1, 4097])
def test_bound_outside_its_domain(bound):
    with pytest.raises(ValueError, match="max_num_threads"):
        PrimitiveAttr(max_num_threads=bound)


@pytest.mark.parametrize("bound", [True, 2.0, "4"])
def test_bound_of_the_wrong_type(bound):
    with pytest.raises(TypeError, match="max_num_threads"):
        PrimitiveAttr(max_num_threads=bound)


@pytest.mark.parametrize(("value", "error"), [("later", ValueError), (3, TypeError)])
def test_decomposition_must_be_known(value, error):
    with pytest.raises(error, match="decomposition"):
        PrimitiveAttr(decomposition=value)


@pytest.mark.parametrize(
    ("dims", "grid", "match"),
    [
        (("batch", "oh", "oc"), (1, 1, 1), "splits"),
        (("batch", "m", "n"), (1, 2, 1), "more parts"),
        (("batch", "m", "n"), (1, 1, 3), "max_num_threads"),
    ],
)
def test_a_given_decomposition_must_fit(dims, grid, match):
    attr = PrimitiveAttr(max_num_threads=2, decomposition=Decomposition(dims, grid))
    with pytest.raises(ValueError, match=match):
        Matmul((4, 5), (5, 600), attr=attr)


def test_closed_pool_is_an_error_and_the_primitive_survives():
    mm = Matmul((4, 5), (5, 6))
    pool = OmpLikePool(2)
    stream = Stream(pool)
    mm(A, B, stream=stream)
    pool.close()
    with pytest.raises(PoolClosedError):
        mm(A, B, stream=stream)
    assert (mm(A, B) == 5).all()


def test_asynchronous_stream_keeps_a_pool_error_for_wait():
    pool = OmpLikePool(2)
    stream = Stream(pool, asynchronous=True)
    pool.close()
    Matmul((4, 5), (5, 6))(A, B, stream=stream)
    with pytest.raises(PoolClosedError):
        stream.wait()
    stream.wait()


@pytest.mark.parametrize(("value", "error"),
                         [(-1, ValueError), (True, TypeError), (1.5, TypeError)])
def test_cache_capacity(value, error):
    with pytest.raises(error, match="capacity"):
        set_cache_capacity(value)
