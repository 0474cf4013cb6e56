"""Figures of one run of a configuration, from what its instances reported."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, isnan
from statistics import median
from typing import NamedTuple

from ..reporting import Report

#: From so many reports on, the first of each instance is left out: it warmed up. A guess.
_WARM = 3


class Run(NamedTuple):
    """Items in a second of all instances together; seconds of a report: median and p99."""

    throughput: float
    median: float
    p99: float


def run_of(reports: Sequence[Sequence[Report]]) -> Run:
    """The figures of one run, from each instance's reports, of which it has at least one.

    Throughput is counted where all instances were at work, since a first or last one alone has
    the machine for itself; where they hardly overlap, it is the sum of their own rates.
    """
    warm = [each[1:] if len(each) >= _WARM else each for each in reports]
    seconds = sorted(one.seconds for each in warm for one in each)
    return Run(_together(warm) or sum(map(_rate, warm)), median(seconds),
               seconds[ceil(0.99 * len(seconds)) - 1])


def _rate(reports: Sequence[Report]) -> float:
    return sum(one.items for one in reports) / sum(one.seconds for one in reports)


def _together(reports: Sequence[Sequence[Report]]) -> float:
    """Items in a second while all were at work; 0 if that was less than half of the time, or if
    an instance does not tell when its items were done."""
    if any(isnan(one.end) for each in reports for one in each):
        return 0.0
    begin = max(min(one.end - one.seconds for one in each) for each in reports)
    end = min(max(one.end for one in each) for each in reports)
    longest = max(max(one.end for one in each) - min(one.end - one.seconds for one in each)
                  for each in reports)
    if end - begin < 0.5 * longest:
        return 0.0
    items = sum(one.items * _inside(one, begin, end) for each in reports for one in each)
    return items / (end - begin)


def _inside(one: Report, begin: float, end: float) -> float:
    """The share of a report's time that lies in this span."""
    overlap = min(one.end, end) - max(one.end - one.seconds, begin)
    return max(0.0, overlap) / one.seconds
