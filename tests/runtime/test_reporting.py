"""What a program tells whoever measures it."""

from __future__ import annotations

import os
import time

import pytest

from threadpool_iface.runtime import report, reporting


@pytest.fixture
def file(tmp_path, monkeypatch):
    path = tmp_path / "reports"
    monkeypatch.setenv(reporting.VARIABLE, str(path))
    return path


def test_reports_are_lines_of_three_numbers(file):
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


def test_it_does_nothing_where_nobody_measures(monkeypatch):
    monkeypatch.delenv(reporting.VARIABLE, raising=False)
    report(1, 1)


@pytest.mark.parametrize(("items", "seconds", "error", "why"), [
    (0, 1, ValueError, "items must be a number above 0, not 0"),
    (1, -1, ValueError, "seconds must be a number above 0"),
    (1, float("nan"), ValueError, "seconds must be"), (float("inf"), 1, ValueError, "items must"),
    ("8", 1, TypeError, "items must be a number, not '8'"), (True, 1, TypeError, "items must")])
def test_wrong_reports_are_refused(items, seconds, error, why):
    with pytest.raises(error, match=why):
        report(items, seconds)


def test_a_line_cut_off_by_a_kill_is_left_out():
    assert reporting.read_reports("1 2 3\n4 5") == [(1, 2, 3)]


@pytest.mark.parametrize("text", ["1 2\n", "a b c\n", "1 2 3 4\n"])
def test_lines_of_something_else_are_refused(text):
    with pytest.raises(ValueError, match="lines of three numbers"):
        reporting.read_reports(text)
