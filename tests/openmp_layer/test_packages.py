"""Packages that bring OpenMP code give on our pools what they give on libgomp."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from bench.packages import installed

from .building import HERE

ROOT = HERE.parents[1]
PROGRAM = """
import os, sys, threading, warnings
warnings.simplefilter("ignore")
import numpy as np
from threadpool_iface import EigenLikePool, OmpLikePool, openmp_layer, threadpool
openmp_layer.install()
from bench.packages import work_of
work = work_of(sys.argv[1])
expected = work()                       # no pool: libgomp's own threads
assert all(each.on_pools == 0 for each in openmp_layer.counts().libraries)
forwarded = sum(each.forwarded for each in openmp_layer.counts().libraries)
close = lambda got: np.testing.assert_allclose(got, expected, rtol=1e-3, atol=1e-4)
failed = []

def call(pool):
    try:
        with threadpool(pool):
            close(work())
    except BaseException as error:
        failed.append(error)

for kind in (OmpLikePool, EigenLikePool):
    with kind(2) as pool:
        with threadpool(pool):
            close(work())
            child = os.fork()           # its regions, too, where libgomp's never end
            if child == 0:
                try:
                    close(work())
                except BaseException:
                    os._exit(1)
                os._exit(0)
            assert os.waitpid(child, 0)[1] == 0, "in a forked child"
        threads = [threading.Thread(target=call, args=(pool,)) for _ in range(4)]
        for thread in threads: thread.start()
        for thread in threads: thread.join()
assert not failed, failed
calls = openmp_layer.counts().libraries
assert forwarded and sum(each.on_pools for each in calls) > 0, calls
print(calls)
"""


@pytest.mark.parametrize("name", installed())
def test_a_package(name):
    env = {text: value for text, value in os.environ.items() if not text.startswith("OMP_")}
    done = subprocess.run([sys.executable, "-c", PROGRAM, name], cwd=ROOT, env=env, check=False,
                          capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr


#: What the layer's table of libraries says does with fewer members than it asked for.
ELASTIC = ["torch", "torch training", "LightGBM"]
HELD = """
import sys, threading, warnings
warnings.simplefilter("ignore")
import numpy as np
from threadpool_iface import EigenLikePool, OmpLikePool, openmp_layer, parallel, threadpool
openmp_layer.install()
from bench.packages import work_of
work = work_of(sys.argv[1])
expected = work()
for kind in (OmpLikePool, EigenLikePool):
    with kind(2) as pool:
        begun, go_on = threading.Event(), threading.Event()

        def hold(i, n):
            begun.set()
            go_on.wait()

        def holder():
            with threadpool(pool):
                parallel(2, hold)

        thread = threading.Thread(target=holder)
        thread.start()
        begun.wait()
        alone = sum(each.alone for each in openmp_layer.counts().libraries)
        with threadpool(pool):
            np.testing.assert_allclose(work(), expected, rtol=1e-3, atol=1e-4)
        assert sum(each.alone for each in openmp_layer.counts().libraries) > alone
        go_on.set()
        thread.join()
"""


@pytest.mark.parametrize("name", [name for name in ELASTIC if name in installed()])
def test_a_library_that_does_with_fewer_members(name):
    """All its regions have one, because another thread holds the pool all the time."""
    env = {text: value for text, value in os.environ.items() if not text.startswith("OMP_")}
    done = subprocess.run([sys.executable, "-c", HELD, name], cwd=ROOT, env=env, check=False,
                          capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
