"""What is read of machines that differ: sockets, nodes, kinds of cores, caches, limits."""

from __future__ import annotations

import os

import pytest

from threadpool_iface.topology import allowed_cpus, read_machine
from threadpool_iface.topology.caches import Cache
from threadpool_iface.topology.cpuset import Cpuset
from threadpool_iface.topology.files import cpu_list, ranges
from threadpool_iface.topology.kinds import CoreKind
from threadpool_iface.topology.nodes import Node
from threadpool_iface.topology.power import IdleState, Power

from . import trees


def test_a_dual_socket_with_two_threads_a_core(tmp_path):
    machine = read_machine(trees.dual_socket(tmp_path))
    assert machine.sockets == (0, 1)
    assert machine.cores == ((0, 4), (1, 5), (2, 6), (3, 7))
    assert machine.model == "Intel(R) Xeon(R) Platinum 8480+"
    assert machine.architecture == "x86_64"
    assert machine.nodes == (Node(0, (0, 1, 4, 5), 64 << 30, (10, 21)),
                             Node(1, (2, 3, 6, 7), 32 << 30, (21, 10)))
    assert machine.kinds == (CoreKind("uniform", tuple(range(8))),)
    assert machine.default_num_threads == 8


def test_caches_are_listed_once_with_who_shares_them(tmp_path):
    caches = read_machine(trees.dual_socket(tmp_path)).caches
    assert Cache(1, "data", 48 << 10, (0, 4)) in caches
    assert [cache for cache in caches if cache.level == 3] == [
        Cache(3, "unified", 105 << 20, (0, 1, 4, 5)), Cache(3, "unified", 105 << 20, (2, 3, 6, 7))]
    assert len(caches) == 4 + 4 + 2


def test_instruction_sets_need_all_their_flags_on_every_cpu(tmp_path):
    assert read_machine(trees.dual_socket(tmp_path)).isa == (
        "avx2", "f16c", "avx512", "avx512_vnni", "avx512_bf16", "avx512_fp16",
        "amx_tile", "amx_int8", "amx_bf16")
    weak = trees.XEON_FLAGS.replace("avx512vl", "").replace("avx512_vnni", "")
    both = trees.cpuinfo(1, trees.XEON_FLAGS) + "\n\n" + trees.cpuinfo(1, weak)
    isa = read_machine(trees.write(tmp_path, {"proc/cpuinfo": both})).isa
    assert "avx2" in isa
    assert not {"avx512", "avx512_vnni"} & set(isa)


def test_power_and_pages(tmp_path):
    machine = read_machine(trees.dual_socket(tmp_path))
    assert machine.power == Power(("powersave",), True, (
        IdleState("POLL", 0, True), IdleState("C1", 1, True), IdleState("C6", 290, False)))
    assert machine.pages == ("madvise", True)


@pytest.mark.parametrize(("files", "turbo"), [
    ({"intel_pstate/no_turbo": 1}, False), ({"intel_pstate/no_turbo": 0}, True),
    ({"cpufreq/boost": 1}, True), ({"cpufreq/boost": 0}, False), ({}, None)])
def test_turbo_under_its_two_names(tmp_path, files, turbo):
    root = trees.write(tmp_path, {f"{trees.CPUS}/{path}": text for path, text in files.items()})
    assert read_machine(root).power.turbo is turbo


def test_a_hybrid_cpu_has_fast_and_slow_cores(tmp_path):
    machine = read_machine(trees.hybrid(tmp_path))
    assert machine.kinds == (CoreKind("performance", (0, 1, 2, 3)),
                             CoreKind("efficiency", (4, 5, 6, 7)))
    assert machine.cores == ((0, 1), (2, 3), (4,), (5,), (6,), (7,))


def test_an_arm_board(tmp_path):
    machine = read_machine(trees.big_little(tmp_path))
    assert machine.architecture == "aarch64"
    assert machine.isa == ("neon", "fp16", "dotprod", "bf16", "i8mm", "sve")
    assert machine.kinds == (CoreKind("performance", (4, 5)),
                             CoreKind("efficiency", (0, 1, 2, 3)))
    assert (machine.nodes, machine.caches, machine.model) == ((), (), "")


def test_a_container_with_a_quota(tmp_path):
    machine = read_machine(trees.container(tmp_path))
    assert machine.quota == 1.5
    assert machine.default_num_threads == 2


def test_a_cpuset_that_skips_node_0(tmp_path):
    machine = read_machine(trees.skips_node_0(tmp_path))
    assert machine.cpuset == Cpuset((2, 3, 6, 7), (1,))
    assert machine.allowed == (2, 3, 6, 7)
    assert machine.default_num_threads == 4
    assert len(machine.cpus) == 8


def test_a_version_one_cpuset(tmp_path):
    root = trees.write(tmp_path, {
        "proc/self/cgroup": "4:cpuset:/job\n2:cpu:/job",
        "sys/fs/cgroup/cpuset/job/cpuset.cpus": "1",
        "sys/fs/cgroup/cpuset/job/cpuset.mems": "0"})
    assert read_machine(root).cpuset == Cpuset((1,), (0,))


def test_a_machine_that_hides_everything_is_one_socket_of_the_allowed_cpus(tmp_path):
    machine = read_machine(str(tmp_path))
    assert set(machine.allowed) == set(allowed_cpus()) <= {cpu.number for cpu in machine.cpus}
    assert machine.sockets == (0,)
    assert machine.cpuset == Cpuset((), ())


def test_this_machine():
    machine = read_machine()
    assert set(machine.allowed) == os.sched_getaffinity(0)
    assert sum(map(len, machine.cores)) == len(machine.cpus)


@pytest.mark.parametrize(("numbers", "text"), [
    ([], ""), ([3], "3"), ([0, 1], "0-1"), ([0, 1, 2, 3, 8], "0-3,8"), ([0, 2, 4, 5], "0,2,4-5")])
def test_ranges_are_written_as_the_kernel_does(numbers, text):
    assert ranges(numbers) == text
    assert cpu_list(text) == numbers
