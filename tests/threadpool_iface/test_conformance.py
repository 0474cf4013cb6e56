"""Every pool passes the conformance test, and the test catches pools that break the contract."""

from __future__ import annotations

import pytest

from threadpool_iface import ThreadpoolError, ThreadpoolIface
from threadpool_iface.testing import check_pool

from .pools_under_test import ALL, ThreadPerTask

pytestmark = pytest.mark.filterwarnings("ignore::threadpool_iface.OversubscriptionWarning")


@pytest.mark.parametrize("name", ALL)
def test_pool_keeps_the_contract(name):
    check_pool(ALL[name])


class Skips(ThreadPerTask):
    def parallel_for(self, n, fn):
        for i in range(n - (n > 2)):
            fn(i, n)


class Repeats(ThreadPerTask):
    def parallel_for(self, n, fn):
        for i in [*range(n), 0]:
            fn(i, n)


class Renumbers(ThreadPerTask):
    def parallel_for(self, n, fn):
        for i in range(n):
            fn(i, n + 1)


class LiesAboutItsSize(ThreadPerTask):
    @property
    def num_threads(self):
        return 0


class SwallowsClosing(ThreadPerTask):
    def close(self):
        pass


@pytest.mark.parametrize("broken", [Skips, Repeats, Renumbers, LiesAboutItsSize, SwallowsClosing])
def test_a_pool_that_breaks_the_contract_is_caught(broken):
    with pytest.raises((AssertionError, ThreadpoolError, ValueError)):
        check_pool(broken)


def test_factory_must_return_a_pool():
    with pytest.raises(TypeError, match="factory"):
        check_pool(object)


def test_abstract_members_must_be_written():
    with pytest.raises(TypeError, match="parallel_for"):
        type("Half", (ThreadpoolIface,), {"num_threads": 1})()
