"""Results of streams that are tensors of PyTorch: their gradients and memory order."""

from __future__ import annotations

import threading

import pytest

from threadpool_iface import CPUPool, Hint, MultiStream

ALL = CPUPool()
MOST = min(2, len(ALL))
LIMIT = 60


@pytest.fixture
def torch():
    return pytest.importorskip("torch")


def at_the_same_time(function):
    """The function, whose calls in `MOST` streams end together."""
    meet = threading.Barrier(MOST)

    def ending_together(x):
        result = function(x)
        meet.wait(LIMIT)
        return result

    return ending_together


def test_gradients_are_those_of_the_function(torch):
    weights = torch.rand(3, 3, requires_grad=True)
    x = torch.rand(8, 3, requires_grad=True)

    def gradients(function):
        return torch.autograd.grad((function(x) ** 2).sum(), (x, weights))

    def model(x):
        return (x @ weights).T

    with MultiStream(at_the_same_time(model), MOST, output_hint=Hint(1)) as stream:
        for _ in range(50):
            torch.testing.assert_close(gradients(stream), gradients(model))


@pytest.mark.skipif(len(ALL) < 2, reason="needs two CPUs")
@pytest.mark.parametrize("following", [0, 1])
def test_parts_with_and_without_gradients_are_joined(torch, following):
    weight = torch.ones(1, requires_grad=True)
    with MultiStream(lambda x: x * weight if x[0, 0] == following else 1 * x, 2) as stream:
        x = torch.tensor([[0.0], [1.0]])
        joined = stream(x)
        assert torch.equal(joined, x)
        joined.sum().backward()
    assert weight.grad.item() == following


@pytest.mark.skipif(len(ALL) < 2, reason="needs two CPUs")
def test_parts_with_gradients_are_not_cast_to_join_them(torch):
    weight = torch.ones(1, requires_grad=True)
    with MultiStream(lambda x: (x * weight).to(torch.float64 if x[0, 0] else torch.float32),
                     2) as stream, pytest.raises(ValueError, match="its place in the whole has"):
        stream(torch.tensor([[0.0], [1.0]]))


def test_gradients_go_through_an_out(torch):
    x = torch.rand(8, 3, requires_grad=True)
    with MultiStream(at_the_same_time(lambda x: x * x), MOST) as stream:
        for _ in range(20):
            out = torch.empty(8, 3)
            assert stream(x, out=out) is out
            gradient, = torch.autograd.grad(out.sum(), x)
            torch.testing.assert_close(gradient, (2 * x).detach())


def test_results_without_gradients_are_copied_by_the_streams(torch):
    out = torch.empty(8, 3)
    with MultiStream(lambda x: x * 2, MOST) as stream:
        assert stream(torch.ones(8, 3)).grad_fn is None
        stream(torch.ones(8, 3), out=out)
    assert out.grad_fn is None
    assert torch.equal(out, torch.full((8, 3), 2.0))


# -- memory order ----------------------------------------------------------------------------------


@pytest.mark.parametrize("tracked", [False, True])
@pytest.mark.parametrize("items", [2, 5])
def test_channels_last_is_kept(torch, items, tracked):
    weight = torch.ones(1, requires_grad=tracked)
    x = torch.rand(items, 3, 4, 5).contiguous(memory_format=torch.channels_last)
    with MultiStream(lambda x: x * weight, MOST) as stream:
        joined = stream(x)
    assert torch.equal(joined, x)
    assert joined.stride() == x.stride()


@pytest.mark.parametrize("tracked", [False, True])
@pytest.mark.parametrize("axes", [(0, 1, 2), (0, 2, 1), (1, 0, 2), (2, 1, 0)])
def test_results_of_any_memory_order_are_joined(torch, axes, tracked):
    x = torch.rand(4, 5, 6, requires_grad=tracked).permute(axes)
    with MultiStream(lambda x: x.clone(), MOST) as stream:
        joined = stream(x)
    assert torch.equal(joined, x)
    assert tracked or joined.stride() == x.stride()


def test_expanded_results_become_contiguous(torch):
    with MultiStream(lambda x: torch.arange(3.0).expand(len(x), 3), MOST) as stream:
        joined = stream(torch.ones(4))
    assert torch.equal(joined, torch.arange(3.0).expand(4, 3))
    assert MOST == 1 or joined.is_contiguous()
