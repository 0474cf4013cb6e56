"""A body takes what any njit function takes, in any mix, from Python and from compiled callers."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest
from numba import float64, int64, njit, objmode, typed
from numba.experimental import jitclass

from threadpool_iface import EigenLikePool, ThreadpoolError, parallel_for, threadpool

RECORD = np.dtype([("weight", np.float64), ("index", np.int32)])


class Point(NamedTuple):
    x: float
    y: int


@jitclass([("scale", float64), ("values", float64[:])])
class Scaled:
    def __init__(self, values, scale):
        self.values = values
        self.scale = scale

    def at(self, i):
        return self.scale * self.values[i]


def some_record():
    table = np.zeros(3, RECORD)
    table[1] = (2.5, 7)
    return table[1]


@njit
def twice(x):
    return 2.0 * x


@njit
def of_scalar(begin, end, out, a):
    for i in range(begin, end):
        out[i] = abs(a) + i


@njit
def of_flag(begin, end, out, a):
    for i in range(begin, end):
        out[i] = i if a else -i


@njit
def of_array(begin, end, out, a):
    for i in range(begin, end):
        out[i] = a[i % a.shape[0]].sum()


@njit
def of_nested_tuple(begin, end, out, a):
    for i in range(begin, end):
        out[i] = a[0][1][i % 4] + a[1] + a[0][0]


@njit
def of_point(begin, end, out, a):
    for i in range(begin, end):
        out[i] = a.x * i + a.y


@njit
def of_record(begin, end, out, a):
    for i in range(begin, end):
        out[i] = a.weight * i + a.index


@njit
def of_instance(begin, end, out, a):
    for i in range(begin, end):
        out[i] = a.at(i % 4)


@njit
def of_function(begin, end, out, a):
    for i in range(begin, end):
        out[i] = a(i)


@njit
def of_list(begin, end, out, a):
    for i in range(begin, end):
        out[i] = a[i % len(a)]


@njit
def of_text(begin, end, out, a):
    for i in range(begin, end):
        out[i] = len(a) + i


@njit
def of_nothing(begin, end, out, a):
    for i in range(begin, end):
        out[i] = 1 if a is None else 0


TABLE = np.arange(24.0).reshape(4, 6)
READ_ONLY = TABLE.copy()
READ_ONLY.flags.writeable = False
ARGUMENTS = {
    "int": (of_scalar, 3), "float": (of_scalar, 0.5), "complex": (of_scalar, 2 + 3j),
    "bool": (of_flag, True), "float32": (of_scalar, np.float32(0.25)),
    "C array": (of_array, TABLE), "F array": (of_array, np.asfortranarray(TABLE)),
    "strided array": (of_array, TABLE[::2, ::-3]), "read-only array": (of_array, READ_ONLY),
    "nested tuple": (of_nested_tuple, ((2, np.arange(4.0)), 0.5)),
    "named tuple": (of_point, Point(1.5, 2)), "record": (of_record, some_record()),
    "jitclass": (of_instance, Scaled(np.arange(4.0), 1.5)), "function": (of_function, twice),
    "typed list": (of_list, typed.List([1.0, 2.0, 5.0])), "text": (of_text, "four"),
    "None": (of_nothing, None),
}


@njit
def call_it(n, body, out, a):
    parallel_for(n, body, out, a)


@pytest.fixture(scope="module")
def pool():
    with EigenLikePool(2) as made:
        yield made


@pytest.mark.parametrize("name", ARGUMENTS)
def test_kinds_of_arguments(name, pool):
    body, a = ARGUMENTS[name]
    alone, python, compiled = np.zeros(100), np.zeros(100), np.zeros(100)
    body(0, 100, alone, a)
    with threadpool(pool):
        parallel_for(100, body, python, a)
        call_it(100, body, compiled, a)
    assert alone.any()
    assert (python == alone).all()
    assert (compiled == alone).all()


def test_many_arguments_of_many_kinds(pool):
    @njit
    def mixed(begin, end, out, a, table, pair, record, instance, function, flag):
        for i in range(begin, end):
            out[i] = a + table[i % 4, 0] + pair[1][0] + record.weight + instance.at(1) + function(i)
            if flag:
                out[i] += 1

    args = (1, TABLE, (0, (0.5, 1)), some_record(), Scaled(np.arange(4.0), 1.5), twice, True)
    alone, out = np.zeros(50), np.zeros(50)
    mixed(0, 50, alone, *args)
    with threadpool(pool):
        parallel_for(50, mixed, out, *args, grain=3, schedule="dynamic")
    assert (out == alone).all()


def test_a_body_without_arguments(pool):
    @njit
    def nothing(begin, end):
        pass

    with threadpool(pool):
        parallel_for(10, nothing)


def test_defaults_of_a_body(pool):
    @njit
    def body(begin, end, out, a=2, b=0.5):
        for i in range(begin, end):
            out[i] = a + b

    out = np.zeros(10)
    with threadpool(pool):
        parallel_for(10, body, out, 4)
        assert (out == 4.5).all()
        parallel_for(10, body, out)
    assert (out == 2.5).all()


def test_a_body_with_a_starred_parameter(pool):
    @njit
    def body(begin, end, out, *rest):
        for i in range(begin, end):
            out[i] = rest[0] + rest[1]

    out = np.zeros(10)
    with threadpool(pool):
        parallel_for(10, body, out, 4, 0.5)
    assert (out == 4.5).all()


def test_an_explicit_signature_converts_arguments(pool):
    @njit("void(int32, int32, float64[:], float64)")
    def body(begin, end, out, a):
        for i in range(begin, end):
            out[i] = a / 2

    out = np.zeros(10)
    with threadpool(pool):
        parallel_for(10, body, out, 3)
    assert (out == 1.5).all()


def test_a_body_that_returns_something_is_a_body_all_the_same(pool):
    @njit
    def body(begin, end, out):
        out[begin:end] = 1
        return out[begin:end] + 1

    out = np.zeros(1000)
    with threadpool(pool):
        parallel_for(1000, body, out, grain=1, schedule="dynamic")
    assert (out == 1).all()


def test_bodies_of_one_name_stay_apart(pool):
    def made(value):
        @njit
        def body(begin, end, out):
            out[begin:end] = value

        return body

    bodies, out = [made(i) for i in range(3)], np.zeros(10)
    with threadpool(pool):
        for i in (0, 1, 2, 0):
            parallel_for(10, bodies[i], out)
            assert (out == i).all()


@njit
def asks_python(begin, end, out):
    for i in range(begin, end):
        with objmode(x=int64):
            x = int("3")
        out[i] = x


def test_a_body_may_go_back_to_python(pool):
    out = np.zeros(20, np.int64)
    with threadpool(pool):
        parallel_for(20, asks_python, out, grain=1, schedule="dynamic")
    assert (out == 3).all()


def test_a_failure_in_python_code_arrives(pool):
    @njit
    def body(begin, end):
        with objmode():
            int("three")

    with threadpool(pool), pytest.raises((ValueError, ThreadpoolError)):
        parallel_for(20, body, grain=1, schedule="dynamic")
    with pytest.raises(ValueError, match="three"):
        parallel_for(20, body)
