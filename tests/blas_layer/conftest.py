"""The layer installed for a test, and taken out again; a hanging test ends the run with tracebacks.
"""

from __future__ import annotations

import faulthandler

import numpy as np
import pytest
import scipy.linalg  # noqa: F401 - brings an OpenBLAS of its own
import threadpoolctl

from threadpool_iface import UNSET, blas_layer, set_threadpool

LONGEST_TEST_SECONDS = 120
#: Threads of OpenBLAS in `layer_of_four`.
OWN = 4


@pytest.fixture(autouse=True)
def _no_test_hangs():
    faulthandler.dump_traceback_later(LONGEST_TEST_SECONDS, exit=True)
    yield
    faulthandler.cancel_dump_traceback_later()


@pytest.fixture
def layer():
    if not any(library.redirectable for library in blas_layer.libraries()):
        pytest.skip("no OpenBLAS that can be redirected is installed")
    blas_layer.install()
    yield blas_layer
    blas_layer.uninstall()


@pytest.fixture(scope="session")
def square():
    """A well-conditioned matrix, as small as OpenBLAS still splits in a factorisation."""
    random = np.random.default_rng(7)
    return random.standard_normal((210, 210)) + 210 * np.eye(210)


@pytest.fixture
def layer_of_four(layer):
    """OpenBLAS told to use four threads, however many CPUs there are."""
    with threadpoolctl.threadpool_limits(OWN, user_api="blas"):
        set_threadpool(UNSET)  # the layer looks
        yield layer
