"""`python -m bench.blas`."""

from __future__ import annotations

import numpy as np
import pytest

from bench import blas
from bench.contenders import create
from bench.turns import Measurement
from threadpool_iface import blas_layer, set_default_threadpool


@pytest.mark.parametrize("body", ["numpy", "ours", "alternating"])
def test_every_call_of_every_caller_is_timed(body):
    contender = create("blas omp", 2)
    try:
        prepared = contender.prepare(blas._case(32, "float64", callers=3, body=body))
        assert (prepared.call(5) > 0).all()
        assert prepared.call(5).shape == (15,)
    finally:
        blas_layer.uninstall()
        set_default_threadpool(None)
        contender.pool.close()


def test_throughput_comes_from_the_mean_and_the_tail_from_the_blocks():
    case = blas._case(32, "float32")
    m = Measurement("blas own", case)
    for slow in (3.0, 5.0, 7.0):
        m.add(np.array([1.0, 1.0, slow]))
    assert blas.per_call(m) == pytest.approx(7 / 3)
    assert blas.tail(m) == pytest.approx(4.92)
