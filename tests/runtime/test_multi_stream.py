"""MultiStream: batches split over streams and joined, and what cannot be."""

from __future__ import annotations

import os
import threading
from collections import namedtuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from threadpool_iface import (
    CPUPool,
    EigenLikePool,
    Hint,
    MultiStream,
    get_max_threads,
    get_threadpool,
    parallel,
)
from threadpool_iface.topology import allowed_cpus

ALL = CPUPool()
LAST = CPUPool(allowed_cpus()[-1:])
LIMIT = 60
MOST = min(2, len(ALL))
X = np.arange(24.0).reshape(6, 4)


@pytest.fixture
def sizes():
    return []


@pytest.fixture
def two(sizes):
    """Two streams, where there are two cores, of a function that keeps the sizes it sees."""
    def double(x):
        sizes.append(len(x))
        return 2 * x

    with MultiStream(double, MOST) as stream:
        yield stream


@given(items=st.integers(0, 9), streams=st.sampled_from([1, MOST, "auto"]),
       axis=st.integers(-3, 2))
def test_it_computes_what_the_function_does(items, streams, axis):
    shape = [3, 2, 4]
    shape[axis] = items
    x = np.random.default_rng(items).random(shape)
    with MultiStream(np.negative, streams, input_hint=Hint(axis), output_hint=Hint(axis)) as stream:
        assert np.array_equal(stream(x), -x)


def test_parts_are_even_and_the_first_has_what_is_over(two, sizes):
    two(np.ones((5, 2)))
    assert sorted(sizes) == ([2, 3] if MOST == 2 else [5])


def test_a_batch_with_one_item_is_one_part(two, sizes):
    two(np.ones((1, 2)))
    assert sizes == [1]


@pytest.mark.skipif(len(ALL) < 2, reason="needs two CPUs")
def test_streams_run_at_the_same_time_on_their_own_cores():
    meet, seen = threading.Barrier(2), []

    def where(x):
        seen.append((os.sched_getaffinity(0), get_threadpool(), get_max_threads()))
        meet.wait(LIMIT)
        return x

    halves = ALL.split(2)
    with MultiStream(where, 2, pool="eigen") as stream:
        stream(X)
    assert {frozenset(mask) for mask, _, _ in seen} == {frozenset(half) for half in halves}
    assert all(type(pool) is EigenLikePool for _, pool, _ in seen)
    assert {size for _, _, size in seen} == {len(half) for half in halves}
    assert all(pool.closed for _, pool, _ in seen)


def test_fewer_items_than_streams_share_all_the_cores():
    seen = []

    def where(x):
        seen.append(os.sched_getaffinity(0))
        return x

    with MultiStream(where, len(ALL)) as stream:
        stream(np.ones(1))
    assert seen == [set(ALL)]


def test_it_keeps_to_the_cores_it_was_given():
    with MultiStream(lambda x: os.sched_getaffinity(0), 1, LAST, concat_output=False) as stream:
        assert stream(X) == [set(LAST)]
        assert stream.cpu_pool == LAST


def test_regions_inside_work():
    def fill(x):
        out = np.zeros_like(x)
        parallel(3, lambda i, n: out.__setitem__(slice(i, None, n), 1 + i))
        return out

    with MultiStream(fill, MOST) as stream:
        assert (stream(np.zeros((12, 2))) > 0).all()


def test_arguments_that_are_no_arrays_are_passed_on():
    with MultiStream(lambda x, k, *, names: k * x + len(names), MOST) as stream:
        assert np.array_equal(stream(X, 3, names=["a"]), 3 * X + 1)


def test_hints_for_nested_arguments_and_results():
    Pair = namedtuple("Pair", "x weights")

    def fn(pair, extra, *, other):
        assert isinstance(pair, Pair)
        return {"y": pair.x @ pair.weights + extra["a"][0].T, "who": len(pair.x)}, other

    weights, other = np.ones((4, 4)), np.arange(12.0).reshape(2, 6)
    with MultiStream(fn, MOST, input_hint=Hint((0, None), {"a": [1]}, other=-1),
                     output_hint=Hint({"y": 0, "who": None}, 1)) as stream:
        first, second = stream(Pair(X, weights), {"a": [np.ones((1, 6))]}, other=other)
    assert np.array_equal(first["y"], X @ weights + 1)
    assert sum(first["who"]) == 6
    assert len(first["who"]) == MOST
    assert np.array_equal(second, other)


def test_default_results_may_be_nested():
    with MultiStream(lambda x: (x, {"a": [x + 1]}, x * 2), MOST) as stream:
        same, inside, double = stream(X)
        assert np.array_equal(same, X)
        assert np.array_equal(inside["a"][0], X + 1)
        assert np.array_equal(double, X * 2)


def test_a_function_that_returns_nothing():
    seen = np.zeros(6)

    def fill(out):
        out[:] = 7

    with MultiStream(fill, MOST) as stream:
        assert stream(seen) is None
    assert (seen == 7).all()


def test_the_whole_has_the_memory_order_of_the_parts():
    with MultiStream(lambda x: x.transpose(0, 3, 1, 2), MOST) as stream:
        y = stream(np.ones((4, 5, 6, 7)))
    assert y.shape == (4, 7, 5, 6)
    if MOST > 1:
        assert y.transpose(0, 2, 3, 1).flags.c_contiguous


def test_unjoined_results_come_in_the_order_of_the_batch():
    with MultiStream(lambda x: x.sum(), MOST, concat_output=False) as stream:
        assert sum(stream(X)) == X.sum()
        assert stream(X)[0] == (X[:3].sum() if MOST == 2 else X.sum())


def test_arrays_that_know_how_to_make_their_like_are_joined():
    class Tensor:
        def __init__(self, data):
            self.data, self.shape = data, data.shape
            self.ndim, self.dtype = data.ndim, data.dtype

        def new_empty(self, shape):
            return Tensor(np.empty(shape))

        def __getitem__(self, index):
            return Tensor(self.data[index])

        def __setitem__(self, index, value):
            self.data[index] = value.data

    with MultiStream(lambda x: x, MOST) as stream:
        whole = stream(Tensor(X))
    assert isinstance(whole, Tensor)
    assert np.array_equal(whole.data, X)


# -- out -------------------------------------------------------------------------------------------


def test_a_function_that_takes_out_writes_to_its_part_of_it():
    given = []

    def double(x, *, out=None):
        given.append(out)
        return np.multiply(x, 2, out=out)

    out = np.empty_like(X)
    with MultiStream(double, MOST) as stream:
        assert stream(X, out=out) is out
        assert np.array_equal(stream(X), 2 * X)
    assert np.array_equal(out, 2 * X)
    assert all(part.base is out for part in given[:MOST])
    assert given[MOST:] == [None] * MOST


def test_results_of_one_that_does_not_are_copied_to_it(two):
    out = np.empty_like(X)
    assert two(X, out=out) is out
    assert np.array_equal(out, 2 * X)


def test_out_may_be_nested():
    out = (np.empty((6, 4)), np.empty((4, 6)))
    with MultiStream(lambda x: (x, x.T), MOST, output_hint=Hint(0, 1)) as stream:
        assert stream(X, out=out) is out
    assert np.array_equal(out[0], X)
    assert np.array_equal(out[1], X.T)


@pytest.mark.parametrize(("out", "error", "why"), [
    (np.empty((5, 4)), ValueError, r"must have 6 along axis 0, for 6 items, not shape \(5, 4\)"),
    (np.empty((6, 5)), ValueError, r"its place in the whole has \(\d, 5\)"),
    (np.empty((6, 4), np.float32), ValueError, "type float64; its place in the whole has"),
    (3, TypeError, "out is 3, which has no axis")])
def test_an_out_that_does_not_fit_is_refused(two, out, error, why):
    with pytest.raises(error, match=why):
        two(X, out=out)


def test_out_and_unjoined_results_do_not_go_together():
    with MultiStream(np.negative, 1, concat_output=False) as stream, \
            pytest.raises(ValueError, match="concat_output=False"):
        stream(X, out=np.empty_like(X))


# -- what cannot be split or joined ----------------------------------------------------------------


@pytest.mark.parametrize(("args", "kwargs", "why"), [
    ((), {}, "nothing to split"),
    ((3,), {"k": "x"}, r"nothing to split: no argument is an array that input_hint \(Hint\(None, "
                       r"k=None\)\) has an axis for"),
    ((np.float64(3),), {}, "nothing to split"),
    ((np.ones(4), np.ones((5, 2))), {}, "argument 0 has 4, argument 1 has 5"),
    ((np.ones(4),), {"mask": np.ones(3)}, "argument 'mask' has 3")])
def test_arguments_without_a_batch_are_refused(args, kwargs, why):
    with MultiStream(lambda *args, **kwargs: None, 1) as stream, \
            pytest.raises(ValueError, match=why):
        stream(*args, **kwargs)


@pytest.mark.parametrize(("hint", "args", "kwargs", "error", "why"), [
    (Hint(0), (X, X), {}, ValueError, "each of the 2 arguments without a name, not 1: Hint"),
    (Hint(0), (X,), {"k": 1}, ValueError, r"the arguments named \['k'\], not \[\]"),
    (Hint(2), (X,), {}, ValueError, r"axis 2 for argument 0, which has shape \(6, 4\): allowed are "
                                    r"-2\.\.1"),
    (Hint(0), (3,), {}, TypeError, "axis 0 for argument 0, which is no array but 3"),
    (Hint([0]), (X,), {}, TypeError, "a list for argument 0, which is"),
    (Hint([0, 0]), ([X],), {}, ValueError, "2 axes for argument 0, which has 1 values"),
    (Hint(k={"a": 0}), (), {"k": {"b": X}}, ValueError,
     r"\['a'\] for argument 'k', which has \['b'\]"),
    (Hint(k={"a": [0]}), (), {"k": {"a": [5]}}, TypeError, r"'k'\['a'\]\[0\], which is no array")])
def test_a_hint_that_does_not_match_is_refused(hint, args, kwargs, error, why):
    with MultiStream(lambda *args, **kwargs: None, 1, input_hint=hint) as stream, \
            pytest.raises(error, match=why):
        stream(*args, **kwargs)


@pytest.mark.parametrize(("result", "hint", "error", "why"), [
    (3.5, None, TypeError, r"the result of stream \d is 3.5, which has no axis to join along"),
    ({"a": [3]}, None, TypeError, r"the result of stream \d\['a'\]\[0\] is 3, which"),
    (np.ones(99), None, ValueError, r"has shape \(99,\), with 99 along axis 0 for \d items"),
    (np.ones(3), Hint(0, 0), TypeError, "output_hint has a tuple for the result"),
    (np.ones(3), Hint(1), ValueError, r"allowed are -1\.\.0")])
@pytest.mark.parametrize("streams", sorted({1, MOST}))
def test_results_that_cannot_be_joined_are_refused(result, hint, error, why, streams):
    with MultiStream(lambda x: result, streams, output_hint=hint) as stream, \
            pytest.raises(error, match=why):
        stream(X)


@pytest.mark.skipif(len(ALL) < 2, reason="needs two CPUs")
@pytest.mark.parametrize(("other", "why"), [
    (np.ones((3, 5)), "its place in the whole has"),
    (np.ones((3, 4), np.float32), "its place in the whole has"),
    ((np.ones((3, 4)),), "must return results of one structure")])
def test_streams_that_return_different_things_are_refused(other, why):
    with MultiStream(lambda x: x if x[0, 0] == 0 else other, 2) as stream, \
            pytest.raises(ValueError, match=why):
        stream(X)


@pytest.mark.parametrize(("kwargs", "error", "why"), [
    ({"fn": "f"}, TypeError, "fn must be callable, not 'f'"),
    ({"num_streams": 0}, ValueError, r"num_streams must be in 1\.\."),
    ({"num_streams": len(ALL) + 1}, ValueError, r"num_streams must be in 1\.\."),
    ({"num_streams": True}, TypeError, "num_streams must be an integer"),
    ({"num_streams": "many"}, ValueError, 'num_streams must be "auto" or in 1..'),
    ({"cpu_pool": [0]}, TypeError, "cpu_pool must be a CPUPool"),
    ({"concat_output": 1}, TypeError, "concat_output must be True or False"),
    ({"input_hint": 0}, TypeError, "input_hint must be a Hint"),
    ({"output_hint": (0,)}, TypeError, "output_hint must be a Hint"),
    ({"output_hint": Hint()}, ValueError, "output_hint must be Hint"),
    ({"output_hint": Hint(0, y=0)}, ValueError, "output_hint must be Hint"),
    ({"pool": "tbb"}, ValueError, 'pool must be "omp", "eigen"')])
def test_wrong_settings_are_refused(kwargs, error, why):
    with pytest.raises(error, match=why):
        MultiStream(**{"fn": abs} | kwargs)
