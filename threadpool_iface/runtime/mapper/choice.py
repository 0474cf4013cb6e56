"""Which configurations are best, which are as good as they, and which are worth having at all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median

from .configurations import Configuration
from .statistics import Run

#: Medians in turns agree to about this on machines that drift: what is closer is a tie.
TIE = 0.08


class Map:
    """Figures of configurations: each the median over its runs.

    Attributes
    ----------
    runs : dict of Configuration to Run
        In the order that they were tried; what failed or was not reached is not in it.
    failed : dict of Configuration to str
        What the program said.
    """

    def __init__(self, runs: Mapping[Configuration, Sequence[Run]],
                 failed: Mapping[Configuration, str]) -> None:
        self.runs = {each: Run(*map(median, zip(*of, strict=True)))
                     for each, of in runs.items() if of and each not in failed}
        self.failed = dict(failed)

    @property
    def best_throughput(self) -> Configuration:
        """The most items in a second."""
        return max(self.runs, key=lambda each: self.runs[each].throughput)

    @property
    def best_latency(self) -> Configuration:
        """The smallest median."""
        return min(self.runs, key=lambda each: self.runs[each].median)

    def throughput_ties(self) -> list[Configuration]:
        """Others within 8 % of the best."""
        best = self.runs[self.best_throughput].throughput
        return [each for each, run in self.runs.items()
                if run.throughput >= best * (1 - TIE) and each != self.best_throughput]

    def latency_ties(self) -> list[Configuration]:
        """Others within 8 % of the best."""
        best = self.runs[self.best_latency].median
        return [each for each, run in self.runs.items()
                if run.median <= best * (1 + TIE) and each != self.best_latency]

    def pareto(self) -> list[Configuration]:
        """Those than which no other has more throughput and less latency, by more than a tie."""
        return [each for each, run in self.runs.items()
                if not any(_beats(other, run) for other in self.runs.values())]

    def marks(self, each: Configuration) -> list[str]:
        """What is to be said of it."""
        return [mark for mark, holds in (
            ("best throughput", each == self.best_throughput),
            ("throughput tie", each in self.throughput_ties()),
            ("best latency", each == self.best_latency),
            ("latency tie", each in self.latency_ties()),
            ("Pareto", each in self.pareto())) if holds]


def _beats(one: Run, other: Run) -> bool:
    """Better in one figure by more than a tie, and not worse in the other one."""
    more = one.throughput >= other.throughput and one.median <= other.median
    return more and (one.throughput * (1 - TIE) > other.throughput
                     or one.median < other.median * (1 - TIE))
