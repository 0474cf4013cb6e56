"""What the C core's codes become in Python."""

from __future__ import annotations

import pickle

import pytest

from threadpool_iface import PoolClosedError, SequentialPool, TaskError, ThreadpoolError
from threadpool_iface.errors import check, keep_pending
from threadpool_iface.native import lib


def test_zero_is_no_error():
    check(0)


@pytest.mark.parametrize(("code", "error"), [
    (7, TaskError), (lib.TPI_E_CLOSED, PoolClosedError), (lib.TPI_E_NO_THREAD, OSError),
    (lib.TPI_E_NO_MEMORY, MemoryError), (lib.TPI_E_INVALID, ValueError),
    (lib.TPI_E_IN_REGION, RuntimeError), (lib.TPI_E_INCOMPLETE, ThreadpoolError),
    (lib.TPI_E_FORKED, ThreadpoolError), (-1000, ValueError),
])
def test_every_code_has_its_exception(code, error):
    with pytest.raises(error):
        check(code)


@pytest.mark.parametrize("code", [lib.TPI_E_CLOSED, lib.TPI_E_NO_THREAD, lib.TPI_E_INCOMPLETE])
def test_errors_of_a_pool_name_it(code):
    with pytest.raises((ThreadpoolError, OSError), match="SequentialPool: 1 thread"):
        check(code, SequentialPool())


def test_a_pending_exception_is_raised_once():
    keep_pending(LookupError("kept"))
    with pytest.raises(LookupError, match="kept"):
        check(lib.TPI_E_PYTHON)
    with pytest.raises(KeyboardInterrupt, match="twice at once"):  # it was lost
        check(lib.TPI_E_PYTHON)


def test_ours_have_one_base_and_keep_their_code_in_a_pickle():
    assert issubclass(PoolClosedError, ThreadpoolError)
    assert issubclass(TaskError, ThreadpoolError)
    assert pickle.loads(pickle.dumps(TaskError(7))).code == 7
