"""Where memory comes from: the thread's policy, and who touches an array first."""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
import threading

import numpy as np
import pytest

from threadpool_iface import CPUPool, UnsupportedError, parallel
from threadpool_iface.topology import first_touch, memory, memory_policy
from threadpool_iface.topology.nodes import Node, read_nodes

ALL = CPUPool()


def policy():
    """(mode, nodes) of the calling thread."""
    return memory._get_policy()


@pytest.fixture
def numa():
    try:
        policy()
    except UnsupportedError as error:
        pytest.skip(str(error))
    return read_nodes()[0].number


@pytest.mark.parametrize(("mode", "number"), [("preferred", 1), ("bind", 2), ("interleave", 3)])
def test_a_block_has_the_policy_and_leaving_restores_it(numa, mode, number):
    before = policy()
    with memory_policy(mode, [numa]):
        assert policy() == (number, {numa})
        with memory_policy("local"):
            assert policy()[0] == 4
        with memory_policy("default"):
            assert policy() == (0, frozenset())
        assert policy() == (number, {numa})
    assert policy() == before


def test_cores_stand_for_their_nodes(numa):
    with memory_policy("bind", ALL):
        nodes = {node.number for node in read_nodes() if set(node.cpus) & ALL}
        assert policy() == (2, nodes)


def test_it_is_restored_after_an_error_and_holds_for_the_thread_alone(numa):
    before, elsewhere = policy(), []
    with pytest.raises(ZeroDivisionError), memory_policy("bind", [numa]):
        raise ZeroDivisionError
    block, inside, done = memory_policy("bind", [numa]), threading.Event(), threading.Event()

    def body():
        with block:
            elsewhere.append(policy())
            inside.set()
            done.wait(60)

    thread = threading.Thread(target=body)
    thread.start()
    inside.wait(60)
    assert policy() == before != elsewhere[0]
    with pytest.raises(RuntimeError, match="in another thread"):
        block.__exit__(None, None, None)
    done.set()
    thread.join()


@pytest.mark.parametrize(("arguments", "error", "why"), [
    (("near",), ValueError, "mode must be one of default, preferred, bind"),
    (("bind",), ValueError, "mode 'bind' needs nodes"),
    (("local", [0]), ValueError, "mode 'local' takes no nodes"),
    (("bind", 0), TypeError, "nodes must be NUMA nodes or a CPUPool, not 0"),
    (("bind", [True]), TypeError, r"nodes\[0\] must be an integer"),
    (("bind", [7]), ValueError, r"nodes has 7; this machine has NUMA nodes \[0, 2\]"),
    (("bind", []), ValueError, "needs at least one node"),
])
def test_wrong_arguments_are_refused(monkeypatch, arguments, error, why):
    monkeypatch.setattr(memory, "read_nodes", lambda: (Node(0, (0,), 0, ()), Node(2, (), 0, ())))
    with pytest.raises(error, match=why):
        memory_policy(*arguments)


@pytest.mark.parametrize(("code", "error", "why"), [
    (errno.ENOSYS, UnsupportedError, "this kernel has no NUMA"),
    (errno.EPERM, UnsupportedError, "may not set a memory policy"),
    (errno.EFAULT, OSError, os.strerror(errno.EFAULT))])
def test_a_kernel_that_refuses_is_quoted(monkeypatch, code, error, why):
    class Library:
        def __init__(self, *args, **kwargs):
            pass

        def syscall(self, *arguments):
            ctypes.set_errno(code)
            return -1

    monkeypatch.setattr(memory.ctypes, "CDLL", Library)
    with pytest.raises(error, match=why), memory_policy("local"):
        pass


def test_an_unknown_architecture_is_refused(monkeypatch):
    monkeypatch.setattr(memory, "_CALLS", {})
    with pytest.raises(UnsupportedError, match="are not known for"), memory_policy("local"):
        pass


def resident(area: mmap.mmap) -> int:
    """How many of its pages the kernel has given memory."""
    pages = (ctypes.c_ubyte * (len(area) // mmap.PAGESIZE))()
    start = ctypes.addressof(ctypes.c_char.from_buffer(area))
    assert ctypes.CDLL(None).mincore(ctypes.c_void_p(start), ctypes.c_size_t(len(area)), pages) == 0
    return sum(page & 1 for page in pages)


@pytest.mark.parametrize("offset", [0, 100])
def test_every_page_is_touched(offset):
    count = 64
    area = mmap.mmap(-1, count * mmap.PAGESIZE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    assert resident(area) == 0
    array = np.frombuffer(area, np.uint8, offset=offset, count=len(area) - 2 * offset)
    assert first_touch(array, ALL) is array
    assert resident(area) == count
    assert not array.any()


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("shape", [(), (0,), (1,), (70, 90), (3, 5, 7000)])
def test_contents_stay(shape, order):
    array = np.asarray(np.random.default_rng(1).normal(size=shape), order=order)
    before = array.copy()
    first_touch(array, ALL)
    np.testing.assert_array_equal(array, before)
    assert os.sched_getaffinity(0) == set(ALL)


@pytest.mark.parametrize(("array", "error", "why"), [
    ([0.0], TypeError, r"array must be a numpy.ndarray, not \[0.0\]"),
    (np.array([None]), TypeError, "Python objects"),
    (np.broadcast_to(np.zeros(1), 1), ValueError, "must be writable"),
    (np.zeros((4, 4))[:, ::2], ValueError, "must be contiguous"),
])
def test_other_arrays_are_refused(array, error, why):
    with pytest.raises(error, match=why):
        first_touch(array, ALL)


def test_inside_a_region_it_is_refused():
    failed = []

    def task(ithr, nthr):
        try:
            first_touch(np.zeros(10), ALL)
        except RuntimeError as error:
            failed.append(error)

    parallel(1, task)
    assert len(failed) == 1
