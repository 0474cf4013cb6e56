"""A few of the random programs; `python -m tests.openmp_layer.random_nests` runs more."""

from __future__ import annotations

import pytest

from .random_nests import results


@pytest.mark.parametrize("seed", range(4))
def test_a_random_nest_gives_what_it_gives_on_libgomp(tmp_path, seed):
    found = results(seed, tmp_path, 3)
    assert len(set().union(*found.values())) == 1, found
