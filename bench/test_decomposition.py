"""The same layers created for different numbers of tasks."""

import pytest

from .cases import Case
from .sections import BOUNDS, CONTENDERS
from .shapes import network


@pytest.mark.parametrize("contender", CONTENDERS["decomposition"])
@pytest.mark.parametrize("case", [
    pytest.param(Case("conv", layer, bound=bound), id=f"{layer.name}-{bound}")
    for layer in network("ResNet-50 v1.5")[1:5] for bound in BOUNDS])
def test_decomposition(benchmark, prepared):
    benchmark(prepared.call)
