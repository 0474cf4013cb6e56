"""Things that may be the first that numba compiles in a process, by name."""

from __future__ import annotations

import numba
import numpy as np
from numba import njit, prange, types

F8 = "float64(float64)"


def _inner(n):
    total = 0.0
    for i in prange(n):
        total += i
    return total


def _one(x):
    return x + 1.0


def _row(row, result):
    result[0] = row.sum()


def _numbers():
    return np.arange(10.0)


def vectorize():
    assert (numba.vectorize([F8])(_one)(_numbers()) == _numbers() + 1).all()


def vectorize_without_signatures():
    assert (numba.vectorize(_one)(_numbers()) == _numbers() + 1).all()


def cached_vectorize():
    assert (numba.vectorize([F8], cache=True)(_one)(_numbers()) == _numbers() + 1).all()


def parallel_vectorize():
    assert (numba.vectorize([F8], target="parallel")(_one)(_numbers()) == _numbers() + 1).all()


def guvectorize():
    made = numba.guvectorize(["(float64[:], float64[:])"], "(n)->()")(_row)
    assert made(_numbers()) == 45


def parallel_guvectorize():
    made = numba.guvectorize(["(float64[:], float64[:])"], "(n)->()", target="parallel")(_row)
    assert made(_numbers()) == 45


def function():
    assert njit(_one)(1.0) == 2.0


def cached_function():
    assert njit(cache=True)(_one)(1.0) == 2.0


def function_with_a_signature():
    assert njit(F8)(_one)(1.0) == 2.0


def parallel_function():
    assert njit(parallel=True)(_inner)(10) == 45


def cached_parallel_function():
    assert njit(parallel=True, cache=True)(_inner)(10) == 45


def cfunc():
    assert numba.cfunc(F8)(_one).ctypes(1.0) == 2.0


def jitclass():
    @numba.experimental.jitclass([("x", types.float64)])
    class Holder:
        def __init__(self, x):
            self.x = x

    assert Holder(2.0).x == 2.0


def overload():
    def plain(x):
        raise NotImplementedError

    @numba.extending.overload(plain)
    def typed(x):
        return lambda x: x + 1.0

    assert numba.vectorize([F8])(lambda x: plain(x))(1.0) == 2.0


def stencil():
    mean = numba.stencil(lambda a: 0.5 * (a[-1] + a[1]))
    assert (mean(_numbers())[1:-1] == _numbers()[1:-1]).all()


def typed_list():
    assert list(numba.typed.List([1.0, 2.0])) == [1.0, 2.0]


def number_of_threads_then_vectorize():
    numba.set_num_threads(2)
    vectorize()


NAMES = [name for name, thing in list(globals().items())
         if not name.startswith("_") and getattr(thing, "__module__", "") == __name__]
