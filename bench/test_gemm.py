"""GEMM on every pool and peer."""

import pytest

from .cases import Case
from .sections import CONTENDERS
from .shapes import gemms


@pytest.mark.parametrize("contender", CONTENDERS["gemm"])
@pytest.mark.parametrize("case", [Case("gemm", shape) for shape in gemms()], ids=str)
def test_gemm(benchmark, prepared):
    benchmark(prepared.call)
