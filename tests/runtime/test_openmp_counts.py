"""What is bound to cores gives OpenMP runtimes a thread for each of them."""

from __future__ import annotations

import ctypes
import threading

import numpy as np
import pytest

from tests.injection import every_interruption
from threadpool_iface import CPUPool, MultiStream, Task, openmp_runtimes, pin
from threadpool_iface.runtime import binding

CORES = CPUPool()
ONE = CPUPool(CORES.core_ids[:1])
OWN = 5


@pytest.fixture(scope="module")
def gomp():
    try:
        return ctypes.CDLL("libgomp.so.1")
    except OSError:
        pytest.skip("there is no libgomp")


@pytest.fixture
def count(gomp):
    """The threads that the calling thread's regions get; OWN unless something changes it."""
    before = gomp.omp_get_max_threads()
    gomp.omp_set_num_threads(OWN)
    yield gomp.omp_get_max_threads
    gomp.omp_set_num_threads(before)


def test_a_pinned_block_has_a_thread_for_each_core(count):
    with pin(CORES):
        assert count() == len(CORES)
        with pin(ONE):
            assert count() == 1
        assert count() == len(CORES)
    assert count() == OWN


def test_other_threads_keep_theirs(count, gomp):
    inside, go_on = threading.Event(), threading.Event()
    seen = []

    def other():
        gomp.omp_set_num_threads(OWN)
        inside.wait()
        seen.append(gomp.omp_get_max_threads())
        go_on.set()

    thread = threading.Thread(target=other)
    thread.start()
    with pin(ONE):
        inside.set()
        go_on.wait()
    thread.join()
    assert seen == [OWN]


def test_it_is_restored_after_an_error(count):
    with pytest.raises(ValueError, match="of the block"), pin(ONE):
        raise ValueError("of the block")
    assert count() == OWN


def test_an_interruption_anywhere_leaves_nothing_behind(count):
    def block():
        with pin(ONE):
            assert count() == 1

    def is_whole():
        assert count() == OWN
        block()

    within = (openmp_runtimes.__file__, binding.__file__)
    assert sum(1 for _ in every_interruption(lambda: (block, is_whole), within=within)) > 5


def test_tasks_and_streams_have_a_thread_for_each_core(gomp):
    with Task(gomp.omp_get_max_threads, ONE) as task:
        assert task().result() == 1
    seen = []

    def note(batch):
        seen.append(gomp.omp_get_max_threads())
        return batch

    with MultiStream(note, num_streams=len(CORES), cpu_pool=CORES) as streams:
        streams(np.zeros((2 * len(CORES), 1)))
    assert set(seen) == {1}


def test_torch_has_as_many(gomp):
    torch = pytest.importorskip("torch")

    with pin(ONE):
        assert torch.get_num_threads() == 1
        torch.ones(100, 100) @ torch.ones(100, 100)
        assert torch.get_num_threads() == 1

    def first_time():
        with pin(ONE):
            return torch.get_num_threads()

    with Task(torch.get_num_threads, ONE) as task:
        assert task().result() == 1
    seen = []
    thread = threading.Thread(target=lambda: seen.append(first_time()))
    thread.start()
    thread.join()
    assert seen == [1]


@pytest.fixture
def mkl():
    """PyTorch's; it has OWN threads for the process unless something changes it."""
    torch = pytest.importorskip("torch")
    if not torch.backends.mkl.is_available():
        pytest.skip("this PyTorch has no MKL")
    before = torch.get_num_threads()
    torch.set_num_threads(OWN)
    path, = (path for path in openmp_runtimes.loaded_libraries() if "libtorch_cpu." in path)
    yield ctypes.CDLL(path)
    torch.set_num_threads(before)


def mkl_count(mkl):
    return mkl.MKL_Get_Max_Threads()


def test_mkl_has_as_many(mkl):
    assert mkl_count(mkl) == OWN
    with pin(CORES):
        assert mkl_count(mkl) == len(CORES)
        with pin(ONE):
            assert mkl_count(mkl) == 1
        assert mkl_count(mkl) == len(CORES)
    assert mkl_count(mkl) == OWN
    with Task(mkl_count, ONE) as task:
        assert task(mkl).result() == 1


def test_mkl_has_as_many_in_streams(mkl):
    with MultiStream(lambda x: mkl_count(mkl), len(CORES), concat_output=False) as streams:
        assert streams(np.zeros((len(CORES), 1))) == [1] * len(CORES)


@pytest.mark.parametrize("local", [0, 3])
def test_mkl_has_again_what_was_set_for_the_thread(mkl, local):
    """Wherever Ctrl-C comes."""
    mkl.MKL_Set_Num_Threads_Local(local)

    def block():
        with pin(ONE):
            assert mkl_count(mkl) == 1

    def is_whole():
        block()
        assert mkl.MKL_Set_Num_Threads_Local(local) == local

    within = (openmp_runtimes.__file__, binding.__file__)
    assert sum(1 for _ in every_interruption(lambda: (block, is_whole), within=within)) > 5
    mkl.MKL_Set_Num_Threads_Local(0)


@pytest.mark.parametrize(("path", "kind"), [
    ("/lib/libgomp.so.1", "libgomp"), ("/x/libgomp-a34b3233.so.1", "libgomp"),
    ("/x/libiomp5.so", "libiomp5"), ("/x/libomp.so.5", "libomp"), ("/x/libgompx.so", ""),
    ("/libgomp/libm.so", ""),
])
def test_runtimes_are_known_by_their_files(path, kind):
    assert openmp_runtimes.kind(path) == kind
