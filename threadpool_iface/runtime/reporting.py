"""What `report_throughput` wrote, read again."""

from __future__ import annotations

import math
from typing import NamedTuple


class Report(NamedTuple):
    """Items, the seconds they took, and when they were done, on CLOCK_MONOTONIC; NaN if untold."""

    items: float
    seconds: float
    end: float = math.nan


def read_reports(text: str) -> list[Report]:
    """What a file holds; a last line that was cut off by a kill is left out.

    Raises
    ------
    ValueError
        Another line is something else.
    """
    lines = text.split("\n")[:-1]
    try:
        reports = [_parsed(line) for line in lines]
    except (TypeError, ValueError):
        raise ValueError("reports must be lines `throughput <items> <seconds> <now>`; these are "
                         f"{lines[:3]}") from None
    return reports


def _parsed(line: str) -> Report:
    name, *numbers = line.split()
    report = Report(*map(float, numbers))
    if name != "throughput" or not (report.items >= 0 and 0 < report.seconds < math.inf):
        raise ValueError(line)
    return report
