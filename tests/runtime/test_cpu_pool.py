"""CPUPool: which CPUs it has, how sets of them combine, and pools on them."""

from __future__ import annotations

import copy
import os
import pickle

import pytest

from threadpool_iface import CPUPool, EigenLikePool, OmpLikePool
from threadpool_iface.topology import allowed_cpus, cpu_pool, existing_cpus, nodes, usable
from threadpool_iface.topology.nodes import Node

from ..threadpool_iface.test_affinity import where_workers_run

FIRST, LAST = allowed_cpus()[0], allowed_cpus()[-1]
MISSING = existing_cpus()[-1] + 1
KINDS = [OmpLikePool, EigenLikePool]


@pytest.fixture
def machine(monkeypatch):
    """Twelve CPUs, of which this process may use the first ten, on two nodes."""
    monkeypatch.setattr(usable, "existing_cpus", lambda: list(range(12)))
    for module in (usable, cpu_pool):
        monkeypatch.setattr(module, "usable_cpus", lambda: list(range(10)))
    captured = (Node(0, tuple(range(6)), 0, (10, 20)), Node(1, tuple(range(6, 12)), 0, (20, 10)),
                Node(2, (), 1 << 30, (20, 20)))
    monkeypatch.setattr(nodes, "read_nodes", lambda: captured)


def test_by_default_it_has_what_this_process_may_use():
    assert CPUPool().core_ids == tuple(allowed_cpus())


@pytest.mark.usefixtures("machine")
def test_given_cpus_become_a_set():
    pool = CPUPool([8, 1, 0, 2, 3, 1])
    assert pool.core_ids == (0, 1, 2, 3, 8)
    assert list(pool) == [0, 1, 2, 3, 8]
    assert len(pool) == 5
    assert 8 in pool
    assert 4 not in pool
    assert repr(pool) == "CPUPool(0-3,8)"


@pytest.mark.usefixtures("machine")
def test_a_cpu_that_is_not_allowed_is_dropped_with_a_warning():
    with pytest.warns(UserWarning, match=r"core_ids: CPUs \[10\] are not allowed") as warned:
        assert CPUPool([9, 10]) == CPUPool([9])
    assert warned[0].filename == __file__


@pytest.mark.usefixtures("machine")
@pytest.mark.parametrize(("cpus", "why"), [
    ([10, 11], r"core_ids \[10, 11\] has no CPU that this process may use: \[0, 1"),
    ([], r"core_ids \[\] has no CPU"),
    ([3, 12], r"core_ids has CPU 12; this machine has CPUs \[0, 1"),
    ([0, -1], r"core_ids\[1\] must be at least 0, not -1"),
])
def test_cpus_that_cannot_be_had_are_refused_by_name(cpus, why):
    with pytest.raises(ValueError, match=why):
        CPUPool(cpus)


@pytest.mark.parametrize("cpus", [3, "0", b"0", [0.0], [True], ["0"]])
def test_what_is_not_a_list_of_cpus_is_refused(cpus):
    with pytest.raises(TypeError, match="core_ids"):
        CPUPool(cpus)


@pytest.mark.usefixtures("machine")
def test_a_node_has_those_of_its_cpus_that_are_allowed():
    assert CPUPool(node_id=0).core_ids == tuple(range(6))
    assert CPUPool(node_id=1).core_ids == tuple(range(6, 10))


@pytest.mark.usefixtures("machine")
@pytest.mark.parametrize(("node", "error", "why"), [
    (3, ValueError, r"node_id is 3; this machine has NUMA nodes \[0, 1, 2\]"),
    (2, ValueError, "node_id 2, with CPUs none, has none that this process may use: 0-9"),
    (-1, ValueError, "node_id must be at least 0"), ("0", TypeError, "node_id must be an integer"),
])
def test_a_node_that_cannot_be_had_is_refused(node, error, why):
    with pytest.raises(error, match=why):
        CPUPool(node_id=node)


def test_without_numa_there_is_node_0(monkeypatch):
    monkeypatch.setattr(nodes, "read_nodes", lambda: ())
    assert CPUPool(node_id=0) == CPUPool()


def test_cores_and_a_node_are_one_too_many():
    with pytest.raises(TypeError, match="not both"):
        CPUPool([FIRST], node_id=0)


@pytest.mark.usefixtures("machine")
def test_set_operations_make_cpu_pools():
    low, high = CPUPool(range(6)), CPUPool(range(4, 10))
    assert repr(low | high) == "CPUPool(0-9)"
    assert repr(low & high) == "CPUPool(4-5)"
    assert repr(low - high) == "CPUPool(0-3)"
    assert repr(low ^ high) == "CPUPool(0-3,6-9)"
    assert repr({9} | low) == "CPUPool(0-5,9)"
    assert low & high < low <= low
    assert low.isdisjoint({6, 7})


@pytest.mark.usefixtures("machine")
def test_an_operation_with_other_cpus_is_checked():
    with pytest.raises(ValueError, match="has CPU 12"):
        CPUPool([0]) | {12}


def test_nothing_left_is_false_and_no_cores_to_run_on():
    none = CPUPool([FIRST]) - {FIRST}
    assert not none
    assert repr(none) == "CPUPool(none)"
    with pytest.raises(ValueError, match="no CPU that this process may use"):
        OmpLikePool(none)


def test_equal_sets_are_equal_whatever_their_type():
    pool = CPUPool([FIRST])
    assert pool == CPUPool([FIRST]) == {FIRST}
    assert hash(pool) == hash(CPUPool([FIRST])) == hash(frozenset([FIRST]))
    assert pool != CPUPool([FIRST]) - {FIRST}
    assert pool != (FIRST,)


def test_it_is_a_value():
    pool = CPUPool()
    with pytest.raises(AttributeError, match="cannot be changed"):
        pool.core_ids = (5,)
    assert copy.deepcopy(pool) == pickle.loads(pickle.dumps(pool)) == pool


def test_split_and_physical_are_of_this_machine():
    whole = CPUPool()
    assert CPUPool.physical() <= whole
    assert whole.split(1) == [whole]
    assert [len(part) for part in whole.split(len(whole))] == [1] * len(whole)


@pytest.mark.parametrize(("n", "error"), [(0, ValueError), (MISSING + 1, ValueError),
                                          (True, TypeError), (1.0, TypeError)])
def test_a_split_into_other_numbers_is_refused(n, error):
    with pytest.raises(error, match="n must be"):
        CPUPool().split(n)


@pytest.mark.parametrize("kind", KINDS)
def test_a_pool_on_a_cpu_pool_has_a_bound_thread_for_each(kind):
    for pool in (kind(CPUPool()), kind(affinity=CPUPool())):
        with pool:
            assert pool.num_threads == len(allowed_cpus())
            assert pool.affinity == tuple(allowed_cpus())
            assert where_workers_run(pool) == [{cpu} for cpu in allowed_cpus()[1:]]


@pytest.mark.parametrize("kind", KINDS)
def test_a_size_may_stand_beside_an_affinity(kind):
    assert kind(2, affinity=CPUPool([LAST])).num_threads == 2


def test_a_cpu_pool_wins_over_the_environment(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.setenv("KMP_AFFINITY", "granularity=fine,scatter")
    pool = OmpLikePool(CPUPool([LAST]))
    assert (pool.num_threads, pool.affinity) == (1, (LAST,))


@pytest.mark.parametrize("kind", KINDS)
def test_a_cpu_pool_and_an_affinity_are_one_too_many(kind):
    with pytest.raises(TypeError, match="says the CPUs: affinity must be None"):
        kind(CPUPool(), affinity="compact")


@pytest.mark.skipif(FIRST == LAST, reason="needs two CPUs")
def test_the_present_mask_is_what_is_allowed():
    mask = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {FIRST})
    try:
        assert CPUPool() == {FIRST}
        with pytest.warns(UserWarning, match="not allowed"):
            assert CPUPool([FIRST, LAST]) == {FIRST}
    finally:
        os.sched_setaffinity(0, mask)
