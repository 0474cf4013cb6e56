"""`forks.py` in its short form, and proof that it sees a child that is lost."""

from __future__ import annotations

import sys

import pytest

from . import forks

#: What children do instead of using the pool, and what must be said of it.
PLANTED = {
    "time.sleep(100)": ["hung", "in_the_child"],
    "os._exit(5)": ["status 5, not "],
    "os.write(2, b'some text')": ["wrote something", "some text"],
    "os.abort()": ["status -6, not ", "Fatal Python error: Aborted"],
}


def planted(what):
    """The program that forks, with children that do that."""
    return [sys.executable, "-c", f"""
import os, sys, time
from tests.threadpool_iface import forking
def in_the_child(pool):
    {what}
forking.use, forking.CHILD_SECONDS = in_the_child, 1
forking.PLACES = {{"outside": forking.PLACES["outside"]}}
forking.main(int(sys.argv[1]), int(sys.argv[2]))
"""]


def test_forks_beside_busy_threads(capsys):
    """Each sort of them."""
    assert forks.main(["400"]) == 0
    assert capsys.readouterr().out.endswith("400 forks: none lost\n")


@pytest.mark.parametrize("what", PLANTED)
def test_a_lost_child_is_seen(what):
    outcomes = list(forks.outcomes([*planted(what), "1", "4"]))
    assert len(outcomes) == 4
    for outcome in outcomes:
        assert bool(outcome.lost) == ("uses it" in outcome.fork)
        assert not outcome.lost or all(text in outcome.lost for text in PLANTED[what])
    assert any(outcome.lost for outcome in outcomes)


def test_lost_children_and_a_parent_that_fails_are_told(monkeypatch, capsys):
    monkeypatch.setattr(forks, "FORKING", planted("os._exit(5)"))
    assert forks.main(["12"]) == 1
    told = capsys.readouterr().out
    assert told.endswith("12 forks: 6 lost\n")
    assert "status 5, not 7" in told
    monkeypatch.setattr(forks, "FORKING", [sys.executable, "-c", "1 // 0"])
    assert forks.main(["12"]) == 1
    assert "ZeroDivisionError" in capsys.readouterr().out
