"""install and uninstall, interrupted anywhere: all libraries are taken over, or none."""

from __future__ import annotations

import numpy as np
import pytest

from tests.injection import every_interruption
from threadpool_iface import OmpLikePool, UnsupportedError, blas_layer, threadpool

#: What changes something; looking at the libraries is thousands of events that change nothing.
WITHIN = (blas_layer.layer.__file__,)


def _taken():
    return [library.path for library in blas_layer.libraries()
            if blas_layer.layer._taken_over(library)]


def _all():
    return [library.path for library in blas_layer.libraries() if library.redirectable]


def _check_calls(square, expected):
    """Products run where they should, with right results, and both calls work."""
    with OmpLikePool(2) as pool, threadpool(pool):
        assert np.allclose(square @ square, expected)
        blas_layer.install()
        assert _taken() == _all()
        assert np.allclose(square @ square, expected)
        blas_layer.uninstall()
        assert _taken() == []
        assert np.allclose(square @ square, expected)


@pytest.mark.parametrize("what", ["install", "uninstall"])
def test_an_interruption_anywhere_leaves_all_libraries_taken_over_or_none(layer, square, what):
    expected = square @ square

    def make():
        getattr(layer, "uninstall" if what == "install" else "install")()

        def check():
            assert _taken() in ([], _all())
            assert layer.installed() == bool(_taken())
            _check_calls(square, expected)

        return getattr(layer, what), check

    assert sum(1 for _ in every_interruption(make, within=WITHIN)) > 3


@pytest.mark.parametrize("with_layer", [True, False])
def test_an_interruption_anywhere_leaves_no_limit_behind(layer, with_layer):
    (layer.install if with_layer else layer.uninstall)()
    limits = blas_layer.limited(1)

    def block():
        with limits:
            assert max(library.num_threads for library in blas_layer.libraries()) == 1

    def make():
        before = [library.num_threads for library in blas_layer.libraries()]

        def check():
            assert [library.num_threads for library in blas_layer.libraries()] == before
            block()
            assert [library.num_threads for library in blas_layer.libraries()] == before

        return block, check

    assert sum(1 for _ in every_interruption(make, within=WITHIN)) > 10


def test_leaving_a_limit_that_was_not_entered_is_an_error():
    with pytest.raises(RuntimeError, match="was not entered"):
        blas_layer.limited().__exit__(None, None, None)


def _fail(code):
    raise UnsupportedError("there are no more")


def test_an_error_leaves_those_that_were_taken_over_before(layer, monkeypatch):
    monkeypatch.setattr(blas_layer.layer, "check", _fail)
    with pytest.raises(UnsupportedError, match="no more"):
        layer.install()
    assert _taken() == _all()
    layer.uninstall()
    with pytest.raises(UnsupportedError, match="no more"):
        layer.install()
    assert _taken() == []
