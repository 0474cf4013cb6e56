"""What is cached on disk is found again by other processes, and never grows."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

BODIES = """
import numpy as np
from numba import njit, float64
from numba.experimental import jitclass
from threadpool_iface import OmpLikePool, parallel, parallel_for, parallel_nd, parallel_reduce
from threadpool_iface import parallel_scan, set_threadpool

@njit(cache=True)
def add_{name}(begin, end, y, value):
    for i in range(begin, end):
        y[i] += value * {factor}

@njit(cache=True)
def point(i, j, y):
    y[i, j] += 1

@njit(cache=True)
def total(begin, end, acc, y):
    return acc + y[begin:end].sum()

@njit(cache=True)
def plus(a, b):
    return a + b

@njit(cache=True)
def caller(y):
    parallel_for(len(y), add_{name}, y, 1.0)
    parallel_nd((2, 3), point, y[:6].reshape(2, 3))
    return parallel_reduce(len(y), total, 0.0, y, combine=plus, grain=4)
"""
LAUNCHED = """
y = np.zeros(12)
parallel_for(12, bodies.add_{name}, y, 1.0, grain=2)
bodies.parallel_nd((3, 4), bodies.point, y.reshape(3, 4))
assert bodies.parallel_reduce(12, bodies.total, 0.0, y, combine=bodies.plus) == y.sum()
print(y.tolist())
"""
START = """
import sys
sys.path.insert(0, {folder!r})
from threadpool_iface import OmpLikePool, parallel_for, set_threadpool
import numpy as np
from numba.core import event
compiled = event.RecordingListener()
event.register("numba:compile", compiled)
import bodies
set_threadpool(OmpLikePool(2))
"""


def run(folder, program, **names):
    code = START.format(folder=str(folder)) + program.format(**names) + (
        "\nprint(sum(e.is_start for _, e in compiled.buffer))\n")
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(folder / "cache")}
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True,
                          text=True, env=environment, check=False, timeout=100)
    assert done.returncode == 0, done.stderr
    *printed, compiles = done.stdout.splitlines()
    return printed, int(compiles)


def files(folder):
    return sorted((path.name, path.stat().st_size) for path in (folder / "cache").rglob("*.nb?"))


def write(folder, name="one", factor=1):
    (folder / "bodies.py").write_text(BODIES.format(name=name, factor=factor))


@pytest.mark.parametrize("program", [LAUNCHED, "print(bodies.caller(np.ones(12)))"],
                         ids=["called from Python", "called from compiled code"])
def test_a_second_process_compiles_nothing_and_writes_nothing(program, tmp_path):
    write(tmp_path)
    first, compiles = run(tmp_path, program, name="one")
    assert compiles > 0
    before = files(tmp_path)
    assert before
    for _ in range(2):
        assert run(tmp_path, program, name="one") == (first, 0)
    assert files(tmp_path) == before


def test_an_edited_body_is_compiled_again(tmp_path):
    write(tmp_path)
    first, _ = run(tmp_path, LAUNCHED, name="one")
    write(tmp_path, factor=30)
    second, compiles = run(tmp_path, LAUNCHED, name="one")
    assert compiles > 0
    assert first != second
    assert run(tmp_path, LAUNCHED, name="one") == (second, 0)


ONE_OF_TWO = """
y = np.zeros(4)
parallel_for(4, bodies.{body}, y)
print(y.tolist())
"""
BOTH = """
y = np.zeros(4)
parallel_for(4, bodies.first, y)
parallel_for(4, bodies.second, y)
print(y.tolist())
"""


def test_launchers_cached_by_different_processes_stay_apart(tmp_path):
    (tmp_path / "bodies.py").write_text("""
from numba import njit

@njit(cache=True)
def first(begin, end, y):
    y[begin:end] += 1

@njit(cache=True)
def second(begin, end, y):
    y[begin:end] += 20
""")
    assert run(tmp_path, ONE_OF_TWO, body="first")[0] == ["[1.0, 1.0, 1.0, 1.0]"]
    assert run(tmp_path, ONE_OF_TWO, body="second")[0] == ["[20.0, 20.0, 20.0, 20.0]"]
    assert run(tmp_path, BOTH) == (["[21.0, 21.0, 21.0, 21.0]"], 0)


UNCACHEABLE = """
@bodies.jitclass([("x", bodies.float64)])
class Holder:
    def __init__(self):
        self.x = 2.0

@bodies.njit
def one(i):
    return i

y = np.zeros(4)
parallel_for(4, bodies.of_any, y, Holder())
parallel_for(4, bodies.of_function, y, one)
"""


def test_what_could_not_be_found_again_is_not_written(tmp_path):
    (tmp_path / "bodies.py").write_text("""
from numba import float64, njit
from numba.experimental import jitclass

@njit(cache=True)
def of_any(begin, end, y, holder):
    y[begin:end] = holder.x

@njit(cache=True)
def of_function(begin, end, y, function):
    y[begin:end] = function(begin)
""")
    for _ in range(2):
        run(tmp_path, UNCACHEABLE)
    assert not [name for name, _ in files(tmp_path) if ".loop2." in name]


def test_importing_the_library_imports_neither_numba_nor_llvmlite():
    code = ("import sys, threadpool_iface as t; t.parallel_for(2, lambda b, e: None); "
            "t.parallel_reduce(2, lambda b, e, a: a, 0, combine=max); "
            "print([m for m in ('numba', 'llvmlite') if m in sys.modules])")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
