"""Which cores each instance gets, on captured machines."""

from __future__ import annotations

import pytest

from threadpool_iface.launcher.cores import Selection
from threadpool_iface.launcher.plan import made_plan
from threadpool_iface.launcher.sharing import Shares
from threadpool_iface.topology import read_machine

from ..topology import trees


@pytest.fixture
def machine(tmp_path):
    """Two nodes of two cores of two threads: 0 1 4 5 and 2 3 6 7."""
    return read_machine(trees.dual_socket(tmp_path))


def cpus(machine, selection=None, shares=None):
    plan = made_plan(selection or Selection(), shares or Shares(), machine)
    return [instance.cpus for instance in plan.instances]


def notes(machine, shares):
    return " ".join(made_plan(Selection(), shares, machine).notes)


@pytest.mark.parametrize(("selection", "expected"), [
    (Selection(), (0, 1, 2, 3)),
    (Selection(logical=True), (0, 1, 2, 3, 4, 5, 6, 7)),
    (Selection(nodes=(1,)), (2, 3)),
    (Selection(nodes=(1,), logical=True), (2, 3, 6, 7)),
    (Selection(nodes=(0, 1)), (0, 1, 2, 3)),
    (Selection(core_list=(1, 5)), (1, 5)),
])
def test_one_instance_has_all_that_was_selected(machine, selection, expected):
    assert cpus(machine, selection) == [expected]


@pytest.mark.parametrize(("shares", "expected"), [
    (Shares(ninstances=2), [(0, 1), (2, 3)]),
    (Shares(ninstances=3), [(0, 1), (2,), (3,)]),
    (Shares(ncores=1), [(0,), (1,), (2,), (3,)]),
    (Shares(ncores=2), [(0, 1), (2, 3)]),
    (Shares(ncores=3), [(0, 1, 2)]),
    (Shares(ninstances=1, ncores=2), [(0, 1)]),
    (Shares(ninstances=3, ncores=1), [(0,), (1,), (2,)]),
    (Shares(mode="latency"), [(0, 1, 2, 3)]),
    (Shares(mode="throughput"), [(0, 1), (2, 3)]),
    (Shares(ninstances=5, oversubscribe=True), [(0,), (1,), (2,), (3,), (0,)]),
    (Shares(ninstances=3, ncores=2, oversubscribe=True), [(0, 1), (2, 3), (0, 1)]),
])
def test_cores_are_shared_out(machine, shares, expected):
    assert cpus(machine, shares=shares) == expected


def test_hardware_threads_of_a_core_stay_together(machine):
    logical = Selection(logical=True)
    assert cpus(machine, logical, Shares(ninstances=4)) == [(0, 4), (1, 5), (2, 6), (3, 7)]
    assert cpus(machine, logical, Shares(ncores=3)) == [(0, 1, 4), (2, 3, 6)]


def test_an_instance_lies_across_nodes_only_if_the_number_asked_for_leaves_no_other_way(machine):
    logical = Selection(logical=True)
    assert cpus(machine, logical, Shares(ncores=3, ninstances=2)) == [(0, 1, 4), (2, 3, 6)]
    plan = made_plan(logical, Shares(ncores=8), machine)
    assert plan.instances[0].nodes == (0, 1)
    assert "lies across NUMA nodes" in plan.notes[0]


def test_each_instance_knows_its_nodes(machine):
    plan = made_plan(Selection(), Shares(mode="throughput"), machine)
    assert [instance.nodes for instance in plan.instances] == [(0,), (1,)]
    assert str(plan.instances[1]) == "cores 2-3, node 1"


@pytest.mark.parametrize(("selection", "shares", "reason"), [
    (Selection(), Shares(ninstances=5), "5 instances on 4 cores.*use-logical-cores.*oversubscribe"),
    (Selection(logical=True), Shares(ninstances=9), "9 instances on 8 cores would have less"),
    (Selection(), Shares(ninstances=2, ncores=3), "2 instances of 3 cores need 6.*are 4 cores"),
    (Selection(nodes=(0,)), Shares(mode="latency"), "an instance of 4 cores needs 4.*are 2 cores"),
    (Selection(), Shares(ninstances=2, ncores=5, oversubscribe=True), "cannot run on 4 cores"),
    (Selection(nodes=(2,)), Shares(), "no node 2: this machine has NUMA nodes 0-1"),
    (Selection(core_list=(0, 8)), Shares(), "CPU 8; this machine has 0-7"),
])
def test_what_cannot_work_is_refused_with_the_reason(machine, selection, shares, reason):
    with pytest.raises(ValueError, match=reason):
        made_plan(selection, shares, machine)


def test_a_cpuset_is_obeyed(tmp_path):
    machine = read_machine(trees.skips_node_0(tmp_path))
    assert cpus(machine) == [(2, 3)]
    assert cpus(machine, shares=Shares(mode="throughput")) == [(2, 3)]
    with pytest.raises(ValueError, match=r"node 0, with CPUs 0-1,4-5, has none .* may use 2-3,6-7"):
        made_plan(Selection(nodes=(0,)), Shares(), machine)
    with pytest.raises(ValueError, match="CPU 1, which this process may not use"):
        made_plan(Selection(core_list=(1, 2)), Shares(), machine)


def test_slow_cores_are_left_out_unless_asked_for(tmp_path):
    machine = read_machine(trees.hybrid(tmp_path))
    assert cpus(machine) == [(0, 2)]
    assert cpus(machine, Selection(e_cores=True)) == [(0, 2, 4, 5, 6, 7)]


def test_a_machine_without_numa_is_one_node(tmp_path):
    machine = read_machine(trees.big_little(tmp_path))
    assert cpus(machine, Selection(nodes=(0,)), Shares(mode="throughput")) == [(4, 5)]


def test_what_may_not_be_meant_is_noted(machine, tmp_path):
    assert notes(machine, Shares(ninstances=2)) == ""
    assert "cores 3 stay idle" in notes(machine, Shares(ncores=3))
    assert "share cores" in notes(machine, Shares(ninstances=5, oversubscribe=True))
    limited = read_machine(trees.container(tmp_path / "container"))
    assert "quota of 1.5 is below the 4 cores" in notes(limited, Shares())
