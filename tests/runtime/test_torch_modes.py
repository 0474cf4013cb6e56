"""PyTorch's modes of the caller hold in tasks and streams."""

from __future__ import annotations

import threading
from contextlib import nullcontext

import pytest

from tests.runtime.test_imports import loaded
from threadpool_iface import CPUPool, MultiStream, Task

ALL = CPUPool()
MOST = min(2, len(ALL))
LIMIT = 60


@pytest.fixture
def torch():
    return pytest.importorskip("torch")


def modes(torch):
    return (torch.is_grad_enabled(), torch.is_inference_mode_enabled(),
            torch.is_autocast_enabled("cpu"), torch.get_autocast_dtype("cpu"))


MODES = {
    "none": lambda torch: nullcontext(),
    "no_grad": lambda torch: torch.no_grad(),
    "inference_mode": lambda torch: torch.inference_mode(),
    "autocast": lambda torch: torch.autocast("cpu", torch.float16),
}


@pytest.mark.parametrize("name", MODES)
def test_a_task_runs_in_the_modes_of_its_caller(torch, name):
    with Task(modes, ALL) as task:
        with MODES[name](torch):
            assert task(torch).result() == modes(torch)
        assert task(torch).result() == modes(torch)


def test_a_waiting_call_keeps_the_modes_it_was_made_in(torch):
    go_on = threading.Event()

    def waits():
        go_on.wait(LIMIT)
        return torch.is_grad_enabled()

    with Task(waits, ALL) as task:
        with torch.no_grad():
            results = [task(), task()]
        results.append(task())
        go_on.set()
        assert [result.result() for result in results] == [False, False, True]


def test_modes_that_a_call_leaves_behind_are_not_those_of_the_next(torch):
    with Task(lambda function, *args: function(*args), ALL) as task:
        task(torch.set_grad_enabled, False).result()
        assert task(torch.is_grad_enabled).result()


@pytest.mark.parametrize("name", MODES)
@pytest.mark.parametrize("streams", sorted({1, MOST}))
def test_streams_run_in_the_modes_of_their_caller(torch, name, streams):
    with MultiStream(lambda x: modes(torch), streams, concat_output=False) as stream:
        with MODES[name](torch):
            assert stream(torch.ones(2, 1)) == [modes(torch)] * streams
        assert stream(torch.ones(2, 1)) == [modes(torch)] * streams


@pytest.mark.parametrize("name", MODES)
def test_a_result_is_as_if_the_function_had_been_called(torch, name):
    layer, x = torch.nn.Linear(3, 5), torch.rand(4, 3)
    with MultiStream(layer, MOST) as stream, MODES[name](torch):
        expected, joined = layer(x), stream(x)
    torch.testing.assert_close(joined, expected)
    assert joined.requires_grad == expected.requires_grad
    assert joined.is_inference() == expected.is_inference()


def test_pytorch_is_not_imported():
    _, modules = loaded("import numpy as np\n"
                        "from threadpool_iface import *\n"
                        "with Task(abs, CPUPool()) as task: task(1).result()\n"
                        "with MultiStream(np.negative, 1) as stream: stream(np.ones((2, 1)))\n")
    assert "threadpool_iface.runtime.torch_modes" in modules
    assert "torch" not in modules
