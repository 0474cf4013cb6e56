"""Parts of a machine: even, contiguous, on one socket where that is possible."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from threadpool_iface.topology.cpus import Cpu, read_cpus
from threadpool_iface.topology.splitting import one_per_core, split

from . import trees


def sockets(*sizes):
    """CPUs of sockets with so many cores each, numbered through."""
    places = [(package, core) for package, size in enumerate(sizes) for core in range(size)]
    return [Cpu(number, package, core, 0) for number, (package, core) in enumerate(places)]


def across(cpus, parts):
    """How many parts lie across sockets."""
    package = {cpu.number: cpu.package for cpu in cpus}
    return sum(len({package[number] for number in part}) > 1 for part in parts)


def test_one_cpu_of_each_core(tmp_path):
    root = f"{trees.dual_socket(tmp_path)}/{trees.CPUS}"
    assert one_per_core(read_cpus(range(8), root)) == [0, 1, 2, 3]
    assert one_per_core(read_cpus([1, 4, 5, 6], root)) == [1, 4, 6]


def test_hardware_threads_of_a_core_stay_together(tmp_path):
    cpus = read_cpus(range(8), f"{trees.dual_socket(tmp_path)}/{trees.CPUS}")
    assert split(cpus, 2) == [[0, 4, 1, 5], [2, 6, 3, 7]]
    assert split(cpus, 4) == [[0, 4], [1, 5], [2, 6], [3, 7]]


@pytest.mark.parametrize(("sizes", "n", "parts"), [
    ([4], 1, [[0, 1, 2, 3]]),
    ([5], 2, [[0, 1, 2], [3, 4]]),
    ([7], 3, [[0, 1, 2], [3, 4], [5, 6]]),
    ([4, 4], 2, [[0, 1, 2, 3], [4, 5, 6, 7]]),
    ([5, 5], 4, [[0, 1, 2], [5, 6, 7], [3, 4], [8, 9]]),
    ([4, 4], 3, [[0, 1, 2], [4, 5, 6], [3, 7]]),
])
def test_examples(sizes, n, parts):
    assert split(sockets(*sizes), n) == parts


def test_unequal_sockets_need_more_than_a_greedy_cut():
    assert across(sockets(7, 5), split(sockets(7, 5), 5)) == 0


def fewest_across(sizes, n):
    """By trying every way of giving whole parts to sockets."""
    small, large = divmod(sum(sizes), n)
    best = 0
    for counts in product(*(range(size // (small + 1) + 1) for size in sizes)):
        few = min(n - large, sum((size - count * (small + 1)) // small
                                 for size, count in zip(sizes, counts, strict=True)))
        if sum(counts) <= large:
            best = max(best, sum(counts) + few)
    return n - best


@given(st.lists(st.integers(1, 9), min_size=1, max_size=3), st.data())
def test_every_split(sizes, data):
    cpus = sockets(*sizes)
    n = data.draw(st.integers(1, len(cpus)))
    parts = split(cpus, n)
    assert sorted(number for part in parts for number in part) == list(range(len(cpus)))
    small, large = divmod(len(cpus), n)
    assert [len(part) for part in parts] == [small + 1] * large + [small] * (n - large)
    assert across(cpus, parts) == fewest_across(sizes, n)
