"""Figures of runs, and which configurations are best, tied or on the Pareto front."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from threadpool_iface import CPUPool
from threadpool_iface.runtime.mapper import Configuration, Map, Run, configurations
from threadpool_iface.runtime.mapper.statistics import run_of
from threadpool_iface.runtime.reporting import Report

A, B, C = Configuration(1, 2, "omp"), Configuration(2, 1, "omp"), Configuration(1, 2, "eigen")


def of(**figures):
    """A Map from throughput and median of A, B, C."""
    return Map({{"a": A, "b": B, "c": C}[name]: [Run(throughput, median, 2 * median)]
                for name, (throughput, median) in figures.items()}, {})


# -- what is tried ---------------------------------------------------------------------------------


def test_two_cores():
    assert list(map(str, configurations(2))) == ["1 x 1 omp", "2 x 1 omp", "1 x 2 omp",
                                                 "1 x 2 eigen"]


def test_one_core():
    assert configurations(1) == [Configuration(1, 1, "omp")]


@given(cores=st.integers(1, 200))
def test_they_differ_and_fit(cores):
    tried = configurations(cores)
    assert len(set(tried)) == len(tried)
    assert all(each.instances * each.cores <= cores for each in tried)
    assert any(each.instances * each.cores == cores == each.instances for each in tried)


def test_kinds_can_be_chosen():
    assert {each.pool for each in configurations(4, ["eigen"])} == {"eigen"}
    with pytest.raises(ValueError, match="pools must be some of omp, eigen, not 'tbb'"):
        configurations(2, ["tbb"])


@given(cores=st.integers(1, 64))
def test_instances_have_cores_of_their_own(cores):
    every = CPUPool._of(range(cores))
    for each in configurations(cores):
        shares = each.shares(every)
        assert len(shares) == each.instances
        assert all(len(share) == each.cores for share in shares)
        assert len(set().union(*shares)) == each.instances * each.cores


def test_the_name_of_a_configuration_can_be_read():
    assert Configuration.parsed(str(C)) == C


# -- figures ---------------------------------------------------------------------------------------


def steady(start, stop, seconds, items=1):
    count = round((stop - start) / seconds)
    return [Report(items, seconds, start + (i + 1) * seconds) for i in range(count)]


def test_rates_of_instances_add_up():
    assert run_of([steady(0, 10, 0.5), steady(0, 10, 0.25)]).throughput == pytest.approx(6)


def test_time_in_which_not_all_were_at_work_does_not_count():
    alone_and_together = steady(0, 3, 0.1) + steady(3, 10, 0.5)
    assert run_of([alone_and_together, steady(3, 10, 0.5)]).throughput == pytest.approx(4)


def test_instances_that_hardly_overlap_are_added_by_their_own_rates():
    assert run_of([steady(0, 1, 0.5), steady(9, 10, 0.5)]).throughput == pytest.approx(4)


def test_without_times_of_the_end_rates_are_added():
    assert run_of([[Report(1, 0.5)], [Report(3, 0.5)]]).throughput == pytest.approx(8)


def test_the_first_report_warms_up_where_there_are_more():
    run = run_of([[Report(1, 9, 9), *steady(9, 10, 0.1)]])
    assert (run.median, run.p99) == pytest.approx((0.1, 0.1))
    assert run.throughput == pytest.approx(10)
    assert run_of([[Report(1, 9, 9)]]).median == 9


def test_p99_is_a_report():
    reports = [Report(1, float(i), 1000.0 + i) for i in range(101)]
    run = run_of([reports])
    assert (run.median, run.p99) == (50.5, 99)


# -- the choice ------------------------------------------------------------------------------------


def test_figures_are_medians_over_the_rounds():
    found = Map({A: [Run(1, 9, 9), Run(3, 1, 2), Run(2, 2, 3)]}, {})
    assert found.runs == {A: Run(2, 2, 3)}


def test_what_failed_or_was_not_reached_is_left_out():
    found = Map({A: [Run(1, 1, 1)], B: [], C: [Run(9, 1, 1)]}, {C: "no"})
    assert list(found.runs) == [A]
    assert found.failed == {C: "no"}


def test_the_best_of_each_and_the_front():
    found = of(a=(100, 1.0), b=(150, 2.0), c=(90, 3.0))
    assert (found.best_throughput, found.best_latency) == (B, A)
    assert found.pareto() == [A, B]
    assert found.throughput_ties() == found.latency_ties() == []
    assert found.marks(A) == ["best latency", "Pareto"]
    assert found.marks(C) == []


def test_ties_are_told():
    found = of(a=(100, 1.0), b=(93, 1.07), c=(91, 1.09))
    assert (found.throughput_ties(), found.latency_ties()) == ([B], [B])
    assert found.pareto() == [A, B]


@given(st.lists(st.tuples(st.floats(1, 100), st.floats(1, 100)), min_size=1, max_size=9))
def test_the_best_are_on_the_front(figures):
    found = Map({Configuration(i + 1, 1, "omp"): [Run(throughput, median, median)]
                 for i, (throughput, median) in enumerate(figures)}, {})
    front = found.pareto()
    best = found.runs[found.best_throughput].throughput
    assert any(found.runs[each].throughput == best for each in front)
    assert front
