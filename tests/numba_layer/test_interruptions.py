"""install and uninstall, interrupted anywhere: as before, or done; and both work afterwards."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest
from numba.core.registry import cpu_target
from numba.np.ufunc import parallel as numba_parallel

import threadpool_iface
from tests.injection import every_interruption, in_a_fork
from threadpool_iface import OmpLikePool, get_threadpool, numba_layer, set_threadpool, threadpool
from threadpool_iface.numba_layer import installing

from . import loops, processes

#: Interrupted here; not inside the pools, which have tests of their own.
WITHIN = (str(Path(threadpool_iface.__file__).parent / "numba_layer"),)


def _runs_on(pool):
    set_threadpool(pool)
    before = pool.stats().regions
    assert loops.total(loops.VALUES) != 0
    set_threadpool(None)
    return pool.stats().regions > before


def _check(installed):
    """Loops run where `installed()` says, and both calls work."""
    assert get_threadpool() is None
    assert numba_layer.installed() in installed
    leaves_gil = hasattr(numba_parallel.build_gufunc_kernel, "stock")
    assert leaves_gil == (numba_layer.installed() and installing._now.leave_gil)
    with OmpLikePool(2) as pool:
        linked_on = numba_layer.installed()
        assert _runs_on(pool) == linked_on
        numba_layer.install()
        assert numba_layer.installed()
        assert _runs_on(pool) == linked_on
        with threadpool(pool):
            assert loops.largest(loops.VALUES) == loops.VALUES.max()
            assert pool.stats().regions > 0
        numba_layer.uninstall()
        assert not numba_layer.installed()
        assert not _runs_on(pool)


def _interrupt(what, way, step):
    cpu_target.target_context.refresh()  # numba's start, and ours: once for all runs
    set_threadpool(None)

    def make():  # in the child: an omp that is launched does not survive a fork
        if way == "overlay":
            processes.launch_own()
        if what != "install":
            numba_layer.install()
        action = {"install": numba_layer.install, "uninstall": numba_layer.uninstall,
                  "change": lambda: numba_layer.install(schedule="static", leave_gil=True)}[what]
        return action, lambda: _check((True,) if what == "change" else (True, False))

    places = every_interruption(make, within=WITHIN, step=int(step), run=in_a_fork)
    assert sum(1 for _ in places) > 20 // int(step)


@pytest.mark.parametrize("way", processes.WAYS)
@pytest.mark.parametrize("what", ["install", "uninstall", "change"])
def test_an_interruption_anywhere_leaves_the_layer_whole(what, way):
    processes.run(_interrupt, what, way, os.environ.get("INTERRUPT_EVERY", "17"),
                  NUMBA_THREADING_LAYER="omp")


def _fork_while_another_thread_installs():
    inside, goes_on = threading.Event(), threading.Event()
    test = installing.check_layer_works

    def held_up(num_threads):
        inside.set()
        goes_on.wait()
        test(num_threads)

    installing.check_layer_works = held_up
    thread = threading.Thread(target=numba_layer.install)
    thread.start()
    inside.wait()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            installing.check_layer_works = test
            set_threadpool(None)
            _check((True,))
            status = 0
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    goes_on.set()
    thread.join()
    set_threadpool(None)
    _check((True,))


def test_a_child_forked_while_another_thread_installs_can_install():
    processes.run(_fork_while_another_thread_installs, NUMBA_THREADING_LAYER="omp")


def _from_many_threads(way):
    if way == "overlay":
        processes.launch_own()
    set_threadpool(None)

    def call(number):
        for i in range(200):
            if (i + number) % 2:
                numba_layer.install(self_test=False)
            else:
                numba_layer.uninstall()

    threads = [threading.Thread(target=call, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    _check((True, False))


@pytest.mark.parametrize("way", processes.WAYS)
def test_threads_that_install_and_uninstall_at_once_leave_it_whole(way):
    processes.run(_from_many_threads, way, NUMBA_THREADING_LAYER="omp")


def _move(left, right):
    taken = left.pop()
    right.append(taken)


def test_the_injection_finds_what_an_interruption_tears():
    def make():
        left, right = [1], []

        def check():
            assert len(left) + len(right) == 1

        return lambda: _move(left, right), check

    with pytest.raises(AssertionError, match=r"after event \d+, c_return in _move") as caught:
        list(every_interruption(make, within=(__file__,)))
    assert isinstance(caught.value.__cause__, AssertionError)
