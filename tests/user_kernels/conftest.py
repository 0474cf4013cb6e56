"""What the tests of user kernels share."""

from __future__ import annotations

import pytest

from threadpool_iface import threadpool

from .some_pools import SOME


@pytest.fixture(params=SOME)
def pool(request):
    """Each design of pool in turn, active."""
    with SOME[request.param]() as made, threadpool(made):
        yield made
