"""The convolution layers of two networks on every pool and peer."""

import pytest

from .cases import Case
from .sections import CONTENDERS
from .shapes import NETWORKS, network

CASES = [pytest.param(Case("conv", layer), id=f"{name.split()[0]}-{layer.name}")
         for name in NETWORKS for layer in network(name)]


@pytest.mark.parametrize("contender", CONTENDERS["conv"])
@pytest.mark.parametrize("case", CASES)
def test_conv(benchmark, prepared):
    benchmark(prepared.call)
