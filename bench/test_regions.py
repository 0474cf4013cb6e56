"""Region latency and skewed loops. A round is one block timed from C, of so many regions."""

import pytest

from .cases import Case
from .sections import CONTENDERS

REGIONS = 100


@pytest.mark.parametrize("contender", CONTENDERS["latency"])
@pytest.mark.parametrize("case", [Case("latency", idle="hot")], ids=str)
def test_latency(benchmark, prepared):
    benchmark(prepared.call, REGIONS)


@pytest.mark.parametrize("contender", CONTENDERS["skewed"])
@pytest.mark.parametrize("case", [Case("skewed", microseconds=us) for us in (50, 500)], ids=str)
def test_skewed(benchmark, prepared):
    if prepared.times_itself:
        benchmark(prepared.call, 1)
    else:
        benchmark(prepared.call)
