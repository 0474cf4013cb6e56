"""Installing, taking out, forking; and libraries that cannot be taken over."""

from __future__ import annotations

import subprocess

import pytest

from threadpool_iface import OmpLikePool, blas_layer, threadpool

from .processes import output_of


def test_installing_twice_changes_nothing(layer, square):
    assert [library.path for library in layer.install()] == [
        library.path for library in layer.libraries() if library.redirectable]
    assert layer.installed()
    layer.uninstall()
    layer.uninstall()
    assert not layer.installed()


def test_after_uninstalling_no_call_comes_to_the_layer(layer, square):
    expected = square @ square
    layer.uninstall()
    before = layer.counts()
    with OmpLikePool(2) as pool, threadpool(pool):
        assert (square @ square == expected).all()
    assert layer.counts() == before


def test_uninstalling_while_others_call(layer, square):
    from concurrent.futures import ThreadPoolExecutor

    expected = square @ square
    with OmpLikePool(2) as pool:
        def call():
            with threadpool(pool):
                return all((square @ square == expected).all() for _ in range(10))

        with ThreadPoolExecutor(2) as threads:
            calls = [threads.submit(call) for _ in range(2)]
            for _ in range(20):
                layer.uninstall()
                layer.install()
            assert all(done.result() for done in calls)


def test_a_forked_child_starts_without_the_layer():
    assert output_of("""
        import os, numpy as np
        from threadpool_iface import OmpLikePool, blas_layer, set_threadpool
        a = np.random.default_rng(1).standard_normal((300, 300))
        blas_layer.install()
        expected = a @ a
        most = blas_layer.libraries()[0].num_threads
        set_threadpool(None)
        a @ a
        child = os.fork()
        if child == 0:
            ok = not blas_layer.installed()
            ok &= blas_layer.libraries()[0].num_threads == most
            ok &= bool((a @ a == expected).all())
            blas_layer.install()
            set_threadpool(OmpLikePool(2))
            ok &= bool(np.allclose(a @ a, expected))
            os._exit(0 if ok else 1)
        print(os.waitpid(child, 0)[1], blas_layer.installed(), np.allclose(a @ a, expected))
    """) == "0 True True\n"


def test_forking_while_another_thread_is_in_blas():
    """OpenBLAS frees its threads' buffers before a fork, whoever uses them. The child cannot use
    BLAS: its locks stay held there by a thread that does not exist, with the layer or without.
    """
    assert output_of("""
        import os, threading, numpy as np
        from threadpool_iface import OmpLikePool, blas_layer, set_default_threadpool
        a = np.random.default_rng(1).standard_normal((300, 300))
        blas_layer.install()
        set_default_threadpool(OmpLikePool(2))
        expected, right, stop = a @ a, [], threading.Event()

        def call():
            while not stop.is_set():
                right.append(bool((a @ a == expected).all()))

        thread = threading.Thread(target=call)
        thread.start()
        status = 0
        for _ in range(20):
            child = os.fork()
            if child == 0:
                os._exit(0)
            status |= os.waitpid(child, 0)[1]
        stop.set()
        thread.join()
        print(status, all(right))
    """) == "0 True\n"


def test_without_a_blas_library_there_is_nothing_to_install():
    assert output_of("""
        import threadpool_iface.blas_layer as blas_layer
        from threadpool_iface import UnsupportedError
        print(blas_layer.libraries())
        try:
            blas_layer.install()
        except UnsupportedError as error:
            print(error)
    """) == "[]\nno BLAS library of this process can run on a pool: none is loaded, import NumPy " \
        "or SciPy first\n"


OLD = """
char *openblas_get_config(void) { return "OpenBLAS 0.3.20 MAX_THREADS=64"; }
int openblas_get_parallel(void) { return %d; }
int threads = 4;
int openblas_get_num_threads(void) { return threads; }
void openblas_set_num_threads(int n) { threads = n; }
"""
MKL = """
int threads = 4;
int MKL_Get_Max_Threads(void) { return threads; }
void MKL_Set_Num_Threads(int n) { threads = n; }
"""


@pytest.mark.parametrize(("name", "source", "reason"), [
    ("libopenblas.so", OLD % 1, "came with OpenBLAS 0.3.28"),
    ("libopenblas_omp.so", OLD % 2, "built for OpenMP"),
    ("libopenblas_alone.so", OLD % 0, "built without threads"),
    ("libmkl_rt.so.2", MKL, "MKL takes no foreign threads"),
])
def test_other_libraries_are_listed_with_the_reason_and_can_be_limited(
    tmp_path, name, source, reason,
):
    path = tmp_path / name
    subprocess.run(["cc", "-shared", "-fPIC", "-x", "c", "-", "-o", path], input=source, text=True,
                   check=True)
    out = output_of(f"""
        import ctypes
        import threadpool_iface.blas_layer as blas_layer
        from threadpool_iface import UnsupportedError
        ctypes.CDLL({str(path)!r})
        library, = blas_layer.libraries()
        try:
            blas_layer.install()
        except UnsupportedError as error:
            assert {reason!r} in str(error), error
        with blas_layer.limited(1):
            print(blas_layer.libraries()[0].num_threads)
        print(library.redirectable, library.reason, blas_layer.libraries()[0].num_threads)
    """)
    assert reason in out
    assert out.startswith("1\nFalse")
    assert out.endswith("4\n")


def test_a_library_is_described(layer):
    library = blas_layer.libraries()[0]
    assert library.name == "OpenBLAS"
    assert library.version
    assert library.version in str(library)
    assert "can run on a pool" in str(library)
