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
