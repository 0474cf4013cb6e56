"""Equal primitives are one object, within the cache's capacity, from any thread."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import kernels.cache
from kernels import Conv2d, Matmul, Relu, cache_clear, cache_info, set_cache_capacity
from threadpool_iface import PrimitiveAttr


@pytest.fixture(autouse=True)
def fresh_cache():
    cache_clear()
    yield
    set_cache_capacity(kernels.cache.DEFAULT_CAPACITY)
    cache_clear()


def test_equal_arguments_give_the_same_primitive():
    first = Matmul((4, 5), (5, 6), post_ops=("relu",))
    assert Matmul([4, np.int64(5)], (5, 6), dtype=np.float32, post_ops=[Relu()]) is first
    assert cache_info()[:2] == (1, 1)


@pytest.mark.parametrize(
    "keywords",
    [{"bias": True}, {"post_ops": ("relu",)}, {"attr": PrimitiveAttr(max_num_threads=7)},
     {"attr": PrimitiveAttr(decomposition="execution")}],
)
def test_anything_that_differs_gives_another(keywords):
    assert Matmul((4, 4), (4, 4)) is not Matmul((4, 4), (4, 4), **keywords)
    assert cache_info().currsize == 2


def test_two_bounds_are_two_primitives():
    one, two = (Conv2d((1, 2, 3, 3), (2, 2, 1, 1), attr=PrimitiveAttr(max_num_threads=n))
                for n in (1, 2))
    assert one is not two


def test_least_recently_used_goes_first():
    set_cache_capacity(2)
    first, second = Matmul((1, 1), (1, 1)), Matmul((2, 1), (1, 1))
    assert Matmul((1, 1), (1, 1)) is first
    Matmul((3, 1), (1, 1))
    assert cache_info().currsize == 2
    assert Matmul((1, 1), (1, 1)) is first
    assert Matmul((2, 1), (1, 1)) is not second


def test_capacity_zero_caches_nothing():
    set_cache_capacity(0)
    assert Matmul((1, 1), (1, 1)) is not Matmul((1, 1), (1, 1))


def test_failed_creation_leaves_nothing_behind():
    with pytest.raises(ValueError, match="multiply"):
        Matmul((4, 5), (6, 7))
    assert cache_info().currsize == 0


def test_threads_that_create_the_same_get_the_same():
    start = threading.Barrier(8)

    def create(_):
        start.wait()
        return Matmul((16, 16), (16, 16), bias=True)

    with ThreadPoolExecutor(8) as threads:
        assert len({id(p) for p in threads.map(create, range(8))}) == 1


def test_one_primitive_in_many_threads_at_once():
    rng = np.random.default_rng(0)
    mm = Matmul((50, 60), (60, 70), attr=PrimitiveAttr(max_num_threads=3))
    b = rng.standard_normal((60, 70)).astype(np.float32)
    inputs = [rng.standard_normal((50, 60)).astype(np.float32) for _ in range(40)]
    alone = [mm(a, b) for a in inputs]
    with ThreadPoolExecutor(8) as threads:
        together = list(threads.map(lambda a: mm(a, b), inputs))
    assert all(np.array_equal(x, y) for x, y in zip(alone, together, strict=True))
