"""MultiStream: errors, several callers, and how it ends."""

from __future__ import annotations

import gc
import subprocess
import sys
import threading
import weakref

import numpy as np
import pytest

from threadpool_iface import CPUPool, MultiStream, PoolClosedError

ALL = CPUPool()
LIMIT = 60
MOST = min(2, len(ALL))
X = np.arange(24.0).reshape(6, 4)


@pytest.mark.skipif(len(ALL) < 2, reason="needs two CPUs")
def test_an_error_waits_for_the_streams_that_are_running():
    meet, failing, ended = threading.Barrier(2), threading.Event(), []

    def fn(x):
        meet.wait(LIMIT)
        if x[0, 0] == 0:
            failing.set()
            raise ValueError("no")
        assert failing.wait(LIMIT)
        for _ in range(20):  # time for an error that does not wait to overtake
            threading.Event().wait(0.005)
        ended.append(len(x))

    with MultiStream(fn, 2) as stream:
        with pytest.raises(ValueError, match="no"):
            stream(X)
        assert ended == [3]


@pytest.mark.skipif(len(ALL) < 2, reason="needs two CPUs")
def test_of_two_errors_the_first_arrives():
    second = threading.Event()

    def fn(x):
        if x[0, 0] == 0:
            assert second.wait(LIMIT)
            raise ValueError("late")
        try:
            raise KeyError("early")
        finally:
            threading.Timer(0.05, second.set).start()

    with MultiStream(fn, 2) as stream, pytest.raises(KeyError) as raised:
        stream(X)
    assert raised.value.__notes__ == ["raised in stream 1 of 2"]


@pytest.mark.parametrize("error", [ValueError("no"), SystemExit(3)])
def test_an_error_arrives_and_it_goes_on(error):
    ended = []

    def fail(x):
        if x[0, 0] == 99:
            raise error
        ended.append(len(x))
        return x

    bad = X.copy()
    bad[0] = 99
    with MultiStream(fail, MOST) as stream:
        with pytest.raises(type(error)) as raised:
            stream(bad)
        assert raised.value is error
        assert f"raised in stream 0 of {MOST}" in error.__notes__
        ended.clear()
        assert np.array_equal(stream(X), X)
        assert sum(ended) == 6


def test_several_threads_may_call_at_once():
    wrong = []

    def caller(number):
        for _ in range(30):
            x = np.full((number, 3), float(number))
            if not np.array_equal(two(x), 2 * x):
                wrong.append(number)

    threads = [threading.Thread(target=caller, args=(number,)) for number in range(1, 7)]
    with MultiStream(lambda x: 2 * x, MOST) as two:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(LIMIT)
    assert not wrong


def test_its_own_function_can_neither_call_nor_close_it():
    said = []

    def again(x):
        for use in (lambda: stream(x), stream.close):
            with pytest.raises(RuntimeError) as refused:
                use()
            said.append(str(refused.value))
        return x

    with MultiStream(again, 1) as stream:
        stream(X)
    assert "is called by its own function" in said[0]
    assert "cannot be closed by its own" in said[1]


def test_one_may_be_inside_another_but_not_around_in_a_circle():
    with MultiStream(np.negative, 1) as inner, MultiStream(inner, 1) as outer:
        assert np.array_equal(outer(X), -X)
    with MultiStream(lambda x: back(x), 1) as forth, MultiStream(forth, 1) as back, \
            pytest.raises(RuntimeError, match="called by its own function"):
        back(X)


def test_closed_it_refuses():
    stream = MultiStream(np.negative, 1)
    stream(X)
    stream.close()
    stream.close()
    assert stream.closed
    assert "closed" in repr(stream)
    with pytest.raises(PoolClosedError, match=r"MultiStream\(negative\) is closed"):
        stream(X)


def test_one_never_called_starts_no_thread():
    before = threading.active_count()
    with MultiStream(np.negative):
        assert threading.active_count() == before


def test_dropped_it_ends_its_threads():
    stream = MultiStream(np.negative, MOST)
    stream(X)
    threads = [t for t in threading.enumerate() if t.name.startswith("negative, stream")]
    assert len(threads) == MOST
    gone = weakref.ref(stream)
    del stream
    gc.collect()
    assert gone() is None
    for thread in threads:
        thread.join(LIMIT)
        assert not thread.is_alive()


def test_a_system_without_threads_to_give_is_quoted(monkeypatch):
    def refuse(self):
        raise RuntimeError("can't start new thread")

    with MultiStream(np.negative, MOST) as stream:
        with monkeypatch.context() as patch:
            patch.setattr(threading.Thread, "start", refuse)
            with pytest.raises(OSError, match="refused to start the thread of negative, stream 0"):
                stream(X)
        assert np.array_equal(stream(X), -X)


def python(code: str) -> subprocess.CompletedProcess[str]:
    prelude = ("import os, signal, threading, time\nimport numpy as np\n"
               "from threadpool_iface import *\nx = np.arange(6.)\n")
    return subprocess.run([sys.executable, "-c", prelude + code], capture_output=True, text=True,
                          timeout=LIMIT)


def test_the_interpreter_ends_with_streams_left_open():
    done = python("stream = MultiStream(np.negative)\nprint(stream(x).sum())")
    assert done.stdout == "-15.0\n", done.stderr
    assert done.stderr == ""


def test_a_forked_child_can_use_it_also_when_a_batch_was_running():
    done = python("""
go, started = threading.Event(), threading.Event()
def slow(x):
    if x[0] == 7:
        started.set()
        go.wait()
    return -x

stream = MultiStream(slow)
caller = threading.Thread(target=lambda: stream(np.full(4, 7.)))
caller.start()
started.wait()
if not (child := os.fork()):
    try:
        os._exit(int(-stream(x).sum()))
    finally:
        os._exit(99)
print(os.waitpid(child, 0)[1] >> 8)
go.set()
caller.join()
print(stream(x).sum())
""")
    assert done.stdout == "15\n-15.0\n", done.stderr


def test_a_fork_inside_the_function_ends():
    done = python("""
def forks(x):
    child = os.fork()
    return child and os.waitpid(child, 0)[1]
print(MultiStream(forks, 1, concat_output=False)(x))
""")
    assert done.stdout == "[0]\n", done.stderr


def test_ctrl_c_arrives_after_the_streams_have_ended():
    done = python("""
signal.signal(signal.SIGINT, signal.default_int_handler)  # a program in the background ignores it
ended = []
def interrupted(x):
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(.2)
    ended.append(len(x))
    return x
stream = MultiStream(interrupted, 1)
try:
    stream(x)
except KeyboardInterrupt:
    print(ended)
""")
    assert done.stdout == "[6]\n", done.stderr
