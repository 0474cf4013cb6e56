"""Sizes come from what the process may use: the affinity mask and the cgroup's quota."""

from __future__ import annotations

import os

import pytest

from threadpool_iface.topology import (
    allowed_cpus,
    cpu_quota,
    default_num_threads,
    existing_cpus,
    limits,
)


def cgroup(tmp_path, membership, **files):
    """A fake /sys/fs/cgroup and /proc/self/cgroup: files by path, with __ for / and DOT for .."""
    root = tmp_path / "cgroup"
    root.mkdir()
    for path, text in files.items():
        file = root / path.replace("__", "/").replace("DOT", ".")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    own = tmp_path / "membership"
    own.write_text(membership)
    return str(root), str(own)


@pytest.mark.parametrize(("text", "quota"), [
    ("max 100000\n", None), ("150000 100000\n", 1.5), ("50000 100000\n", 0.5), ("", None),
    ("nonsense", None), ("100000 0\n", None),
])
def test_version_two_quota(tmp_path, text, quota):
    assert cpu_quota(*cgroup(tmp_path, "0::/a/b\n", a__b__cpuDOTmax=text)) == quota


def test_the_tightest_of_the_groups_above_counts(tmp_path):
    where = cgroup(tmp_path, "0::/a/b\n", cpuDOTmax="300000 100000",
                   a__cpuDOTmax="100000 100000", a__b__cpuDOTmax="max 100000")
    assert cpu_quota(*where) == 1.0


def test_version_one_quota(tmp_path):
    where = cgroup(
        tmp_path, "5:cpu,cpuacct:/job\n3:memory:/job\n",
        **{"cpu,cpuacct__job__cpuDOTcfs_quota_us": "250000",
           "cpu,cpuacct__job__cpuDOTcfs_period_us": "100000"})
    assert cpu_quota(*where) == 2.5


def test_version_one_without_a_limit(tmp_path):
    where = cgroup(tmp_path, "5:cpu,cpuacct:/\n",
                   **{"cpu,cpuacct__cpuDOTcfs_quota_us": "-1",
                      "cpu,cpuacct__cpuDOTcfs_period_us": "100000"})
    assert cpu_quota(*where) is None


def test_no_cgroups_at_all_is_no_limit(tmp_path):
    assert cpu_quota(str(tmp_path / "none"), str(tmp_path / "neither")) is None


@pytest.mark.parametrize(("cpus", "quota", "size"), [(8, None, 8), (8, 2.5, 3), (8, 0.5, 1),
                                                     (2, 16.0, 2), (1, None, 1)])
def test_default_size_is_the_smaller_of_mask_and_quota(monkeypatch, cpus, quota, size):
    monkeypatch.setattr(limits, "allowed_cpus", lambda: list(range(cpus)))
    monkeypatch.setattr(limits, "cpu_quota", lambda: quota)
    assert default_num_threads() == size


@pytest.mark.parametrize(("text", "cpus"), [("0\n", [0]), ("0-3\n", [0, 1, 2, 3]),
                                            ("0-1,4,6-7\n", [0, 1, 4, 6, 7])])
def test_existing_cpus_are_the_kernels_list(tmp_path, text, cpus):
    (tmp_path / "present").write_text(text)
    assert existing_cpus(str(tmp_path / "present")) == cpus


@pytest.mark.parametrize("text", ["", "-3", "0-", "all"])
def test_an_unreadable_list_falls_back_to_what_python_knows(tmp_path, text):
    (tmp_path / "present").write_text(text)
    assert set(existing_cpus(str(tmp_path / "present"))) >= set(allowed_cpus())
    assert existing_cpus(str(tmp_path / "missing"))


def test_allowed_cpus_exist():
    assert set(allowed_cpus()) <= set(existing_cpus())
    assert allowed_cpus() == sorted(os.sched_getaffinity(0))
