"""parallel_reduce and parallel_scan: the bits come from n and the grain, whoever computes them."""

from __future__ import annotations

from functools import reduce
from itertools import accumulate

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import njit

from threadpool_iface import (
    EigenLikePool,
    OmpLikePool,
    parallel_reduce,
    parallel_scan,
    threadpool,
)

from .bodies import add, rounding_numbers, running_total, total_of
from .some_pools import SOME

pytestmark = pytest.mark.filterwarnings("ignore::threadpool_iface.OversubscriptionWarning")


@njit
def sum_compiled(n, x, grain):
    return parallel_reduce(n, total_of, 0.0, x, combine=add, grain=grain)


@njit
def scan_compiled(n, x, out, grain):
    return parallel_scan(n, running_total, 0.0, x, out, combine=add, grain=grain)


def chunks_of(n, grain):
    return [(i, min(n, i + grain)) for i in range(0, n, grain)]


@settings(max_examples=40)
@given(n=st.integers(0, 3000), grain=st.integers(1, 4000))
def test_a_sum_is_that_of_its_chunks_in_order(n, grain):
    x = rounding_numbers(n)
    sums = [total_of(begin, end, 0.0, x) for begin, end in chunks_of(n, grain)]
    expected = reduce(add.py_func, sums) if sums else 0.0
    with EigenLikePool(3) as made, threadpool(made):
        assert parallel_reduce(n, total_of, 0.0, x, combine=add, grain=grain) == expected
        assert sum_compiled(n, x, grain) == expected
        python = parallel_reduce(n, total_of.py_func, 0.0, x, combine=add.py_func, grain=grain)
        assert python == expected


@settings(max_examples=40)
@given(n=st.integers(0, 3000), grain=st.integers(1, 4000))
def test_a_scan_carries_the_sums_of_the_chunks_before(n, grain):
    x = rounding_numbers(n)
    sums = [total_of(begin, end, 0.0, x) for begin, end in chunks_of(n, grain)]
    expected, last = np.zeros(n), 0.0
    carries = [0.0, *accumulate(sums, add.py_func)]
    for (begin, end), carry in zip(chunks_of(n, grain), carries, strict=False):
        last = running_total(begin, end, carry, x, expected)
    outs = np.zeros((3, n))
    with EigenLikePool(3) as made, threadpool(made):
        results = [
            parallel_scan(n, running_total, 0.0, x, outs[0], combine=add, grain=grain),
            scan_compiled(n, x, outs[1], grain),
            parallel_scan(n, running_total.py_func, 0.0, x, outs[2], combine=add.py_func,
                          grain=grain),
        ]
    assert results == [last] * 3
    assert (outs == expected).all()


@pytest.mark.parametrize("n", [1, 63, 1000, 70_000])
def test_bits_do_not_depend_on_who_computes(n):
    x = rounding_numbers(n)
    expected_out = np.zeros(n)
    expected = parallel_reduce(n, total_of, 0.0, x, combine=add)
    total = parallel_scan(n, running_total, 0.0, x, expected_out, combine=add)
    assert expected == pytest.approx(x.sum(), rel=1e-3)
    for make in SOME.values():
        out = np.zeros(n)
        with make() as made, threadpool(made):
            assert parallel_reduce(n, total_of, 0.0, x, combine=add) == expected
            assert parallel_scan(n, running_total, 0.0, x, out, combine=add) == total
        assert (out == expected_out).all()


def test_python_functions_have_the_same_chunks():
    x = rounding_numbers(1000)
    expected = parallel_reduce(1000, total_of, 0.0, x, combine=add)
    with OmpLikePool(2) as made, threadpool(made):
        assert parallel_reduce(1000, total_of.py_func, 0.0, x, combine=add) == expected


def test_the_result_of_no_items_is_init():
    assert parallel_reduce(0, total_of, 7.5, np.zeros(0), combine=add) == 7.5
    assert parallel_scan(0, running_total, 7.5, np.zeros(0), np.zeros(0), combine=add) == 7.5


@njit
def histogram(begin, end, counts, x):
    counts = counts.copy()
    for i in range(begin, end):
        counts[x[i]] += 1
    return counts


@njit
def extremes(begin, end, acc, x):
    low, high = acc
    for i in range(begin, end):
        low, high = min(low, x[i]), max(high, x[i])
    return low, high


@njit
def wider(a, b):
    return min(a[0], b[0]), max(a[1], b[1])


def test_partial_results_may_be_arrays():
    x = np.random.default_rng(0).integers(0, 10, 10_000)
    with EigenLikePool(2) as made, threadpool(made):
        for _ in range(20):
            counts = parallel_reduce(len(x), histogram, np.zeros(10, np.int64), x, combine=add)
    assert (counts == np.bincount(x, minlength=10)).all()


def test_partial_results_may_be_tuples():
    x = np.random.default_rng(0).standard_normal(10_000)
    with EigenLikePool(2) as made, threadpool(made):
        found = parallel_reduce(len(x), extremes, (np.inf, -np.inf), x, combine=wider)
    assert found == (x.min(), x.max())


def test_an_integer_init_of_a_sum_of_floats():
    x = np.arange(100) / 4
    assert parallel_reduce(100, total_of, 0, x, combine=add, grain=3) == x.sum()


def test_combine_is_called_in_order():
    @njit
    def first_and_last(begin, end, init):
        return begin, end

    @njit
    def joined(a, b):
        return (a[0], b[1]) if a[1] == b[0] else (-1, -1)

    with EigenLikePool(3) as made, threadpool(made):
        for grain in (1, 7, 100):
            found = parallel_reduce(1000, first_and_last, (0, 0), combine=joined, grain=grain)
            assert found == (0, 1000)


@pytest.mark.parametrize("compiled", [True, False])
def test_total_makes_a_scan_in_place_possible(compiled):
    body, total = (running_total, total_of_two) if compiled else (
        running_total.py_func, total_of_two.py_func)
    x = np.arange(1000.0)
    expected = x.cumsum()
    with OmpLikePool(2) as made, threadpool(made):
        last = parallel_scan(1000, body, 0.0, x, x, combine=add, total=total)
    assert last == expected[-1]
    assert (x == expected).all()


@njit
def total_of_two(begin, end, acc, x, out):
    return total_of(begin, end, acc, x)


@pytest.mark.parametrize("call", [
    lambda: parallel_reduce(2, None, 0, combine=add), lambda: parallel_reduce(2, add, 0, combine=3),
    lambda: parallel_scan(2, add, 0, combine=add, total=3),
    lambda: parallel_reduce(True, add, 0, combine=add),
    lambda: parallel_reduce(2, add, 0, combine=add, grain=0.5),
])
def test_wrong_types_are_refused(call):
    with pytest.raises(TypeError, match="must be"):
        call()


@pytest.mark.parametrize("call", [
    lambda: parallel_reduce(-2, add, 0, combine=add),
    lambda: parallel_scan(2, add, 0, combine=add, grain=0),
])
def test_values_outside_their_domain_are_refused(call):
    with pytest.raises(ValueError, match="must be"):
        call()
