""""auto": which numbers of streams are tried, what is chosen, and when it is looked for."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from threadpool_iface import CPUPool, MultiStream
from threadpool_iface.runtime.streams import multi_stream, tuning

ALL = CPUPool()
LIMIT = 60


@pytest.fixture
def clock(monkeypatch):
    """Time that passes only where a batch runs."""
    class Clock:
        now = 0.0

        def __call__(self):
            return self.now

    clock = Clock()
    monkeypatch.setattr(tuning, "perf_counter", clock)
    return clock


def race(clock, seconds):
    """`fastest` among counts that take so long, and how often each ran."""
    runs = dict.fromkeys(seconds, 0)

    def run(count):
        runs[count] += 1
        took = seconds[count](runs[count]) if callable(seconds[count]) else seconds[count]
        clock.now += took
        return took

    return tuning.fastest(list(seconds), run), runs


@pytest.mark.parametrize(("cores", "items", "counts"), [
    (1, 8, [1]), (2, 8, [1, 2]), (2, 1, [1]), (2, 0, [1]), (6, 99, [1, 2, 3, 4, 6]),
    (12, 5, [1, 2, 3, 4, 5]), (56, 999, [1, 2, 4, 7, 8, 14, 16, 28, 32, 56])])
def test_candidates_are_powers_of_two_divisors_and_the_most(cores, items, counts):
    assert tuning.candidates(cores, items) == counts


@given(cores=st.integers(1, 200), items=st.integers(0, 300))
def test_candidates_are_possible(cores, items):
    counts = tuning.candidates(cores, items)
    assert counts[0] == 1
    assert counts == sorted(set(counts))
    assert counts[-1] == max(1, min(cores, items))


def test_the_fastest_is_chosen(clock):
    assert race(clock, {1: 0.1, 2: 0.05, 4: 0.06})[0] == 2


def test_the_first_batch_which_may_compile_does_not_count(clock):
    assert race(clock, {1: 0.1, 2: lambda run: 9.0 if run == 1 else 0.05})[0] == 2


def test_one_slow_batch_does_not_decide(clock):
    assert race(clock, {1: 0.055, 2: lambda run: 0.06 if run == 3 else 0.05})[0] == 2


def test_the_first_short_batch_of_a_turn_finds_cold_caches_and_does_not_count(clock):
    last = None

    def run(count):
        nonlocal last
        took = {1: 2e-3, 2: 1e-3 if last == count else 4e-3}[count]
        last = count
        clock.now += took
        return took

    assert tuning.fastest([1, 2], run) == 2


def test_of_equals_the_fewest_streams_are_chosen(clock):
    assert race(clock, {1: 0.1, 2: 0.099, 4: 0.098})[0] == 1


def test_the_hopeless_are_not_measured_again(clock):
    _, runs = race(clock, {1: 0.1, 2: 0.1, 4: 0.9})
    assert runs[4] == 2
    assert runs[1] == runs[2] > 2


def test_short_batches_are_repeated_and_long_ones_are_not(clock):
    short, long = race(clock, {1: 1e-3, 2: 1e-3})[1], race(clock, {1: 1.0, 2: 1.0})[1]
    assert short[1] > 5 * tuning._LEAST
    assert long[1] == 1 + tuning._LEAST


def test_a_single_candidate_is_not_measured(clock):
    best, runs = race(clock, {1: 1.0})
    assert (best, runs) == (1, {1: 0})


@pytest.fixture
def searches(monkeypatch):
    """The candidates of each search; it runs them once and finds the last one."""
    seen = []

    def fastest(counts, run):
        seen.append(list(counts))
        for count in counts:
            run(count)
        return counts[-1]

    monkeypatch.setattr(multi_stream, "fastest", fastest)
    return seen


def test_each_class_of_sizes_is_searched_once(searches):
    with MultiStream(np.negative) as stream:
        for items in (1, 8, 15, 8, 9, 16):
            x = np.arange(float(items))
            assert np.array_equal(stream(x), -x)
        assert stream.choices == {"1": 1, "8-15": len(ALL), "16-31": len(ALL)}
    assert len(searches) == 3


def test_choices_can_be_forgotten(searches):
    with MultiStream(np.negative) as stream:
        stream(np.ones(8))
        stream.forget_choices()
        assert stream.choices == {}
        stream(np.ones(8))
    assert len(searches) == 2


def test_a_given_number_is_not_searched(searches):
    with MultiStream(np.negative, 1) as stream:
        stream(np.ones(8))
        assert (stream.num_streams, stream.choices) == (1, {})
    assert not searches


def test_intels_spelling_is_understood():
    with MultiStream(np.negative, "AUTO") as stream:
        assert stream.num_streams == "auto"


def test_what_was_found_is_shown(searches):
    with MultiStream(np.negative) as stream:
        stream(np.ones(8))
        assert f"auto {len(ALL)} for 8-15" in repr(stream)


def test_a_search_that_fails_finds_nothing_and_comes_again(searches):
    fails = [True]

    def fn(x):
        if fails[0]:
            raise ValueError("no")
        return x

    with MultiStream(fn) as stream:
        with pytest.raises(ValueError, match="no"):
            stream(np.ones(8))
        assert stream.choices == {}
        fails[0] = False
        stream(np.ones(8))
        assert stream.choices == {"8-15": len(ALL)}


def test_another_thread_does_not_wait_for_a_search(monkeypatch):
    started, go = threading.Event(), threading.Event()

    def fastest(counts, run):
        started.set()
        assert go.wait(LIMIT)
        run(1)
        return 1

    monkeypatch.setattr(multi_stream, "fastest", fastest)
    with MultiStream(np.negative) as stream:
        searcher = threading.Thread(target=stream, args=(np.ones(8),))
        searcher.start()
        assert started.wait(LIMIT)
        assert np.array_equal(stream(np.ones(8)), -np.ones(8))
        assert stream.choices == {}
        go.set()
        searcher.join(LIMIT)
        assert stream.choices == {"8-15": 1}
