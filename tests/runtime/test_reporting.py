"""What a program tells whoever measures it."""

from __future__ import annotations

import math
import os
import time

import pytest

from threadpool_iface.launcher.instance import REPORT
from threadpool_iface.runtime import report, reporting


@pytest.fixture
def file(tmp_path, monkeypatch):
    path = tmp_path / "reports"
    monkeypatch.setenv(REPORT, str(path))
    return path


def test_reports_are_read_as_they_were_written(file):
    before = time.monotonic()
    report(8, 0.25)
    report(2.5, 1)
    first, second = reporting.read_reports(file.read_text())
    assert first[:2] == (8, 0.25)
    assert second[:2] == (2.5, 1)
    assert before <= first.end <= second.end <= time.monotonic()


def test_a_forked_child_reports_too(file):
    report(1, 1)
    if not (child := os.fork()):
        try:
            report(2, 1)
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    assert [one.items for one in reporting.read_reports(file.read_text())] == [1, 2]


def test_a_line_cut_off_by_a_kill_is_left_out():
    assert reporting.read_reports("throughput 1 2 3\nthroughput 4 5") == [(1, 2, 3)]


def test_programs_need_not_tell_when():
    (one,) = reporting.read_reports("throughput 1 2\n")
    assert one[:2] == (1, 2)
    assert math.isnan(one.end)


@pytest.mark.parametrize("text", ["1 2 3\n", "throughput 1\n", "throughput a b c\n", "\n",
                                  "throughput 1 2 3 4\n", "throughput 1 0 3\n"])
def test_lines_of_something_else_are_refused(text):
    with pytest.raises(ValueError, match="reports must be lines"):
        reporting.read_reports(text)
