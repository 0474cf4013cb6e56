"""Advice is given for what is in the way, and for nothing else."""

from __future__ import annotations

import pytest

from threadpool_iface.topology import read_machine
from threadpool_iface.topology.advice import advice

from . import trees


def given(root):
    return [item.now for item in advice(read_machine(root))]


def test_a_busy_dual_socket(tmp_path):
    assert given(trees.dual_socket(tmp_path)) == [
        "several hardware threads of a core are in use (SMT)",
        "this process runs on 2 NUMA nodes",
        "the kernel moves pages between NUMA nodes",
        "frequency governor powersave"]


def test_a_quota_below_the_mask_comes_first(tmp_path):
    first = advice(read_machine(trees.container(tmp_path)))[0]
    assert first.now == "CPU quota of 1.5 below the 8 CPUs of the affinity mask"
    assert "restrict the process to 2" in first.change


def test_what_the_mask_leaves_out_is_no_concern(tmp_path):
    assert given(trees.dual_socket(tmp_path, **trees.allowed("0-1"))) == [
        "frequency governor powersave"]


def test_memory_of_another_node(tmp_path):
    root = trees.skips_node_0(tmp_path)
    (tmp_path / "sys/fs/cgroup/job/cpuset.mems.effective").write_text("0\n")
    assert "CPUs of node 1, memory of node 0 (cpuset)" in given(root)


def test_cores_of_two_speeds(tmp_path):
    found = advice(read_machine(trees.hybrid(tmp_path)))
    assert any("performance, efficiency" in item.now and "0-3" in item.change for item in found)


@pytest.mark.parametrize(("path", "text", "now"), [
    (f"{trees.CPUS}/intel_pstate/no_turbo", "1", "turbo is off"),
    ("sys/kernel/mm/transparent_hugepage/enabled", "always madvise [never]",
     "transparent huge pages are off"),
    (f"{trees.CPUS}/cpu0/cpuidle/state2/disable", "0", "idle state C6 takes 290 us to leave"),
])
def test_one_setting(tmp_path, path, text, now):
    root = trees.dual_socket(tmp_path)
    assert now not in given(root)
    (tmp_path / path).write_text(text)
    assert now in given(root)
