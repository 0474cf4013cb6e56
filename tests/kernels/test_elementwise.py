"""Eltwise, Binary, BatchNorm, Softmax, Reorder, Concat: against NumPy, and the same bits."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernels import BatchNorm, Binary, Concat, Eltwise, Reorder, Softmax, Sum
from threadpool_iface import (
    EigenLikePool,
    OmpLikePool,
    PoolClosedError,
    PrimitiveAttr,
    Stream,
    threadpool,
)

from .references import post, rand, same_bits
from .strategies import bounds, laid_out, layouts, post_ops

# Around vectors (4 to 16 lanes), blocks of 8 of them, and chunks of 256 and 1024.
extent = st.one_of(st.integers(0, 5), st.sampled_from([15, 16, 17, 31, 40, 129, 300]))
shapes = st.one_of(st.tuples(st.sampled_from([1, 7, 128, 1023, 1024, 5000])),
                   st.lists(extent, min_size=1, max_size=3).map(tuple),
                   st.lists(st.integers(1, 4), min_size=4, max_size=8).map(tuple))
NUMPY = {"add": np.add, "sub": np.subtract, "mul": np.multiply, "div": np.divide,
         "max": np.maximum, "min": np.minimum}


def writable(shape, layout):
    return laid_out(np.zeros(shape, np.float32), "gaps" if layout == "read-only" else layout)


@given(shape=shapes, ops=post_ops, bound=bounds, ls=layouts, lo=layouts, seed=st.integers(0, 99))
def test_functions_of_each_element(shape, ops, bound, ls, lo, seed):
    rng = np.random.default_rng(seed)
    src, before = rand(rng, *shape), rand(rng, *shape)
    out = writable(shape, lo)
    out[...] = before
    function = Eltwise(shape, ops, attr=PrimitiveAttr(max_num_threads=bound))
    assert function(laid_out(src, ls), out=out) is out
    assert np.allclose(out, post(src.astype(np.float64), ops, before), rtol=1e-6, atol=1e-6)


@given(data=st.data(), operation=st.sampled_from(sorted(NUMPY)), shape=shapes, bound=bounds,
       la=layouts, lb=layouts, lo=layouts, seed=st.integers(0, 99))
def test_arithmetic_broadcasts_as_numpy_does(data, operation, shape, bound, la, lb, lo, seed):
    def part():
        kept = tuple(1 if data.draw(st.booleans()) else e for e in shape)
        return kept[data.draw(st.integers(0, len(shape) - 1)):]

    rng = np.random.default_rng(seed)
    a, b = rand(rng, *part()), rand(rng, *part())
    with np.errstate(all="ignore"):
        expected = NUMPY[operation](a, b)
    binary = Binary(operation, a.shape, b.shape, attr=PrimitiveAttr(max_num_threads=bound))
    out = writable(expected.shape, lo)
    binary(laid_out(a, la), laid_out(b, lb), out=out)
    assert np.array_equal(np.array(out), expected, equal_nan=True)


@given(shape=shapes, data=st.data(), bound=bounds, ls=layouts, lo=layouts, seed=st.integers(0, 99))
def test_softmax_along_any_axis(shape, data, bound, ls, lo, seed):
    axis = data.draw(st.integers(-len(shape), len(shape) - 1))
    src = 10 * rand(np.random.default_rng(seed), *shape)
    softmax = Softmax(shape, axis, attr=PrimitiveAttr(max_num_threads=bound))
    out = writable(shape, lo)
    softmax(laid_out(src, ls), out=out)
    if src.size:
        exact = src.astype(np.float64)
        exact = np.exp(exact - exact.max(axis, keepdims=True))
        assert np.allclose(out, exact / exact.sum(axis, keepdims=True), rtol=3e-6, atol=1e-7)
        assert same_bits(np.array(out), softmax(src))


def test_rows_of_a_softmax_have_the_same_bits_side_by_side_and_one_after_the_other():
    for length in (1, 5, 16, 17, 100, 5000):  # above 4096 a row is gathered on its own
        src = rand(np.random.default_rng(length), 37, length)
        rows = Softmax(src.shape)(src)
        assert same_bits(rows, Softmax((length, 37), 0)(np.ascontiguousarray(src.T)).T)


@given(src=st.tuples(*[st.integers(0, 40)] * 4), layout=st.sampled_from(["nchw", "nhwc"]),
       bound=bounds, ls=layouts, lo=layouts, relu=st.booleans(), seed=st.integers(0, 99))
def test_batch_normalisation(src, layout, bound, ls, lo, relu, seed):
    rng = np.random.default_rng(seed)
    axis = layout.index("c")
    mean, variance, weight, bias = (abs(rand(rng, src[axis])) + 0.1 for _ in range(4))
    data = rand(rng, *src)
    norm = BatchNorm(src, layout=layout, epsilon=1e-3, post_ops=("relu",) * relu,
                     attr=PrimitiveAttr(max_num_threads=bound))
    out = writable(src, lo)
    norm(laid_out(data, ls), mean, variance, weight, bias, out=out)
    by = [p.astype(np.float64).reshape([-1 if i == axis else 1 for i in range(4)])
          for p in (mean, variance, weight, bias)]
    expected = (data - by[0]) / np.sqrt(by[1] + 1e-3) * by[2] + by[3]
    assert np.allclose(out, np.maximum(expected, 0) if relu else expected, rtol=1e-5, atol=1e-5)


@given(shape=st.tuples(*[extent] * 3), axes=st.permutations("abc"), bound=bounds, ls=layouts,
       lo=layouts)
def test_reorders_are_transposed_copies(shape, axes, bound, ls, lo):
    src = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    reorder = Reorder(shape, "abc", "".join(axes), attr=PrimitiveAttr(max_num_threads=bound))
    expected = src.transpose(["abc".index(letter) for letter in axes])
    out = writable(expected.shape, lo)
    reorder(laid_out(src, ls), out=out)
    assert np.array_equal(np.array(out), expected)


@given(axis=st.integers(-3, 2), lengths=st.lists(extent, min_size=1, max_size=4), bound=bounds,
       ls=layouts, lo=layouts)
def test_concatenations(axis, lengths, bound, ls, lo):
    shapes = [tuple(n if i == axis % 3 else 7 for i in range(3)) for n in lengths]
    sources = [rand(np.random.default_rng(i), *shape) for i, shape in enumerate(shapes)]
    concat = Concat(shapes, axis, attr=PrimitiveAttr(max_num_threads=bound))
    expected = np.concatenate(sources, axis)
    out = writable(expected.shape, lo)
    concat([laid_out(source, ls) for source in sources], out=out)
    assert np.array_equal(np.array(out), expected)


SRC = (3, 20, 17, 40)
PRIMITIVES = {
    "eltwise": lambda attr: (Eltwise(SRC, ("gelu", "relu6"), attr=attr), ()),
    "binary": lambda attr: (Binary("div", SRC, (20, 1, 40), attr=attr), ((20, 1, 40),)),
    "softmax of rows": lambda attr: (Softmax(SRC, attr=attr), ()),
    "softmax of channels": lambda attr: (Softmax(SRC, 1, attr=attr), ()),
    "batch norm": lambda attr: (BatchNorm(SRC, attr=attr), ((20,),) * 4),
}


@pytest.mark.filterwarnings("ignore::threadpool_iface.OversubscriptionWarning")
@pytest.mark.parametrize("make", PRIMITIVES.values(), ids=PRIMITIVES)
def test_created_for_n_run_on_m_gives_the_same_bits(make):
    rng = np.random.default_rng(3)
    src, reference = rand(rng, *SRC), None
    rest = [abs(rand(rng, *shape)) for shape in make(PrimitiveAttr())[1]]
    pools = [None, *(kind(n) for kind in (OmpLikePool, EigenLikePool) for n in (1, 3, 8))]
    for bound in (None, 0, 1, 2, 8):
        for decomposition in ("creation", "execution"):
            primitive, _ = make(PrimitiveAttr(max_num_threads=bound, decomposition=decomposition))
            for pool in pools:
                with threadpool(pool):
                    results = [primitive(src, *rest), primitive(np.asfortranarray(src), *rest)]
                results.append(primitive(src, *rest, stream=Stream(pool)))
                reference = results[0] if reference is None else reference
                assert all(same_bits(result, reference) for result in results)


def test_non_finite_values_stay_where_they_belong():
    src = np.array([[0, np.nan, 1], [np.inf, 0, 1], [-np.inf, 0, 0], [3, 2, 1]], np.float32)
    rows = Softmax(src.shape)(src)
    assert np.isnan(rows[:2]).all()
    assert rows[2].tolist() == [0, 0.5, 0.5]
    assert np.isclose(rows[3].sum(), 1)
    for operation in ("max", "min"):
        binary = Binary(operation, src.shape, (1,))
        assert np.isnan(binary(src, np.float32([0]))[0, 1])
        assert np.isnan(binary(src, np.float32([np.nan]))).all()
    tiny = np.float32([1e-42, -1e-42])  # denormals are kept
    assert np.array_equal(Eltwise((2,), ("relu",))(tiny), np.float32([1e-42, 0]))


A = (4, 6)


@pytest.mark.parametrize(("make", "error", "words"), [
    (lambda: Eltwise((), ("relu",)), ValueError, "shape must have at least 1 dimensions"),
    (lambda: Eltwise((1,) * 9, ("relu",)), ValueError, "at most 8 dimensions, not 9"),
    (lambda: Eltwise(A, "relu"), TypeError, "functions must be a sequence"),
    (lambda: Eltwise(A, ("wave",)), ValueError, "functions has 'wave'; the names are"),
    (lambda: Binary("pow", A, A), ValueError, "operation must be one of"),
    (lambda: Binary(None, A, A), TypeError, "operation must be one of"),
    (lambda: Binary("add", A, (5,)), ValueError, "do not broadcast"),
    (lambda: Softmax(A, 2), ValueError, "axis"),
    (lambda: Softmax(A, 0.5), TypeError, "axis"),
    (lambda: BatchNorm(A), ValueError, "src_shape must have 4 dimensions"),
    (lambda: BatchNorm((1, 2, 3, 4), epsilon=-1), ValueError, "epsilon must be finite"),
    (lambda: BatchNorm((1, 2, 3, 4), epsilon="small"), TypeError, "epsilon must be a float"),
    (lambda: BatchNorm((1, 2, 3, 4), layout="chwn"), ValueError, "layout must be"),
    (lambda: Reorder(A, "ab", "ac"), ValueError, "the letters of src_layout 'ab', not 'ac'"),
    (lambda: Reorder(A, "aa", "aa"), ValueError, "src_layout must have 2 different letters"),
    (lambda: Reorder(A, 1, "ab"), TypeError, "src_layout must be letters"),
    (lambda: Concat([A, (5, 7)], 1), ValueError, "src_shapes[1] is (5, 7), which differs"),
    (lambda: Concat([]), ValueError, "src_shapes is empty"),
    (lambda: Concat([A], 2), ValueError, "axis"),
    (lambda: Softmax(A, dtype="int8"), ValueError, "dtype must be float32"),
])
def test_what_makes_no_sense_is_refused(make, error, words):
    with pytest.raises(error) as caught:
        make()
    assert words in str(caught.value)


def test_operands_are_checked():
    a = np.zeros(A, np.float32)
    with pytest.raises(TypeError, match="src must have dtype float32"):
        Softmax(A)(a.astype(float))
    with pytest.raises(ValueError, match="out overlaps an input"):
        Eltwise(A, ("relu",))(a, out=a)
    with pytest.raises(ValueError, match="out is missing"):
        Eltwise(A, (Sum(2),))(a)
    with pytest.raises(ValueError, match="sources must be 2 arrays, not 1"):
        Concat([A, A])([a])
    with pytest.raises(TypeError, match="sources must be a sequence of arrays, not 5"):
        Concat([A, A])(5)
    with pytest.raises(ValueError, match=r"sources\[1\] must have shape"):
        Concat([A, A])([a, a.T])
    with pytest.raises(ValueError, match="mean must have shape"):
        BatchNorm((1, 2, 3, 4))(np.zeros((1, 2, 3, 4), np.float32), *[np.zeros(3, np.float32)] * 4)
    pool = OmpLikePool(2)
    pool.close()
    with pytest.raises(PoolClosedError):
        Softmax(A)(a, stream=Stream(pool))


def test_a_call_is_named_in_verbose_lines(capsys):
    from threadpool_iface import set_verbose

    binary = Binary("add", (4, 1), A, post_ops=("relu",))
    set_verbose(1)
    try:
        binary(np.zeros((4, 1), np.float32), np.zeros(A, np.float32))
    finally:
        set_verbose(0)
    fields = capsys.readouterr().out.split(",")
    assert fields[1:5] == ["exec", "binary", binary.kernel_name,
                           "--alg=add 4x1:4x6 --attr-post-ops=relu"]
