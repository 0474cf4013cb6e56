"""What a launched program asks for: its share, and a place to report to."""

from __future__ import annotations

import numpy as np
import pytest

from threadpool_iface import report_throughput, shard
from threadpool_iface.launcher.instance import COUNT, INDEX, REPORT
from threadpool_iface.launcher.reports import Report


@pytest.fixture
def launched(monkeypatch):
    def set_place(index, count):
        monkeypatch.setenv(INDEX, str(index))
        monkeypatch.setenv(COUNT, str(count))

    return set_place


@pytest.mark.parametrize("count", [1, 2, 3, 10, 11])
def test_shards_are_the_whole_in_order(launched, count):
    items, parts = list(range(10)), []
    for index in range(count):
        launched(index, count)
        parts.append(shard(items))
    assert [item for part in parts for item in part] == items
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


def test_a_program_that_was_not_launched_has_everything():
    assert shard("abc") == "abc"


def test_an_array_is_not_copied(launched):
    launched(1, 2)
    array = np.arange(12).reshape(6, 2)
    assert shard(array).base is array.base
    assert shard(array).tolist() == [[6, 7], [8, 9], [10, 11]]


@pytest.mark.parametrize("sequence", [iter([1]), 5, {1, 2}])
def test_what_has_no_slices_is_refused(sequence):
    with pytest.raises(TypeError, match="slices"):
        shard(sequence)


@pytest.mark.parametrize("place", [("2", "2"), ("x", "2"), ("0", "-1")])
def test_variables_that_make_no_sense_are_refused(launched, place):
    launched(*place)
    with pytest.raises(ValueError, match=INDEX):
        shard([1])


def test_reports_add_up(monkeypatch):
    report = Report()
    assert report.throughput() is None
    monkeypatch.setenv(REPORT, report.path)
    report_throughput(np.float32(100), 2)
    report_throughput(50, 1)
    assert report.throughput() == 50
    report.close()


def test_reporting_to_nobody_does_nothing(monkeypatch):
    monkeypatch.delenv(REPORT, raising=False)
    report_throughput(1, 1)


@pytest.mark.parametrize(("items", "seconds", "error"), [
    (1, 0, ValueError), (-1, 1, ValueError), (1, float("inf"), ValueError), (float("nan"), 1,
                                                                             ValueError),
    ("1", 1, TypeError), (1, None, TypeError), (True, 1, TypeError),
])
def test_nonsense_is_not_reported(items, seconds, error):
    with pytest.raises(error):
        report_throughput(items, seconds)
