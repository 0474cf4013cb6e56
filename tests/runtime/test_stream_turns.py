"""Streams that only take turns, because their function holds the GIL, are told of."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from threadpool_iface import CPUPool, GilHeldWarning, MultiStream, OmpLikePool
from threadpool_iface.runtime.streams.team import Team, Times
from threadpool_iface.runtime.streams.turns import Watch, took_turns


def times_of(elapsed, busy, queued=(0.0, 0.0), late=(0.0, 0.0)):
    return Times(elapsed, list(busy), list(queued), list(late))


TURNS = times_of(0.1, [0.05, 0.05])
OVERLAP = times_of(0.05, [0.05, 0.05])
ASLEEP = times_of(0.1, [0.001, 0.001])


@pytest.mark.parametrize(("times", "turns"), [
    (TURNS, True), (OVERLAP, False), (ASLEEP, None),
    (times_of(0.1, [0.095, 0.001]), None),                           # one did everything
    (times_of(0.1, [0.05, 0.05], [0.05, 0.05]), False),              # CPUs were shared with others
    (times_of(0.2, [0.05, 0.05], [0.05, 0.05]), True),               # and here streams took turns
    (times_of(0.1, [0.05, 0.05], late=[0.0, 0.05]), None),           # one began when one had ended
    (times_of(1e-4, [5e-5, 5e-5]), None)])                           # too short to tell
def test_turns_are_told_from_overlaps(times, turns):
    assert took_turns(times) is turns


def seen(*batches):
    told, watch = 0, Watch()
    for times in batches:
        if watch.watching:
            watch.see(times)
        told += watch.news() is not None
    return told, watch.watching


def test_three_in_a_row_are_told_once():
    assert seen(TURNS, TURNS) == (0, True)
    assert seen(*[TURNS] * 9) == (1, False)


def test_one_batch_that_compiles_is_not_told():
    assert seen(TURNS, TURNS, OVERLAP, TURNS) == (0, True)


def test_it_stops_looking_at_streams_that_overlap():
    assert seen(OVERLAP, OVERLAP, OVERLAP) == (0, False)


def test_it_stops_looking_at_batches_that_do_not_tell():
    assert seen(*[ASLEEP] * 100) == (0, False)


@pytest.mark.skipif(len(CPUPool()) < 2, reason="needs two CPUs")
@pytest.mark.parametrize("times", [TURNS, OVERLAP])
@pytest.mark.parametrize("streams", [2, "auto"])
def test_a_multi_stream_warns_in_its_callers_line(monkeypatch, streams, times):
    run = Team.run

    def told(self, works, *, watched=False):
        alone = run(self, works, watched=watched)
        return times if len(works) == 2 else alone

    monkeypatch.setattr(Team, "run", told)
    with MultiStream(np.negative, streams) as stream, \
            warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for _ in range(9):
            stream(np.ones(4))
    if times is OVERLAP:
        assert not caught
    else:
        (warning,) = caught
        assert warning.category is GilHeldWarning
        assert "streams of negative take turns: 2 of them took 100 ms" in str(warning.message)
        assert warning.filename == __file__


@pytest.mark.skipif(len(CPUPool()) < 2, reason="needs two CPUs")
def test_a_team_tells_what_its_streams_did():
    team = Team("t", CPUPool(), 2, OmpLikePool)
    times = team.run([lambda: sum(range(100_000))] * 2, watched=True)
    team.close()
    assert min(times.busy) > 0
    assert min(times.queued + times.late) >= 0
    assert times.elapsed > 0
