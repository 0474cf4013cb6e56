"""The split: within the bound, covering everything once, visible, and replaceable."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernels import Conv2d, Matmul
from kernels.convolution.decomposition import columns
from kernels.microkernels import isa
from threadpool_iface import (
    Decomposition,
    OmpLikePool,
    PrimitiveAttr,
    Stream,
    ThreadpoolIface,
    balance211,
    threadpool,
)

from .references import same_bits


@given(n=st.integers(0, 1000), team=st.integers(1, 70))
def test_balance211_covers_everything_once_and_evenly(n, team):
    ranges = [balance211(n, team, tid) for tid in range(team)]
    assert ranges[0][0] == 0
    assert ranges[-1][1] == n
    assert all(a[1] == b[0] for a, b in itertools.pairwise(ranges))
    sizes = [end - start for start, end in ranges]
    assert max(sizes) - min(sizes) <= 1
    assert sizes == sorted(sizes, reverse=True)


@pytest.mark.parametrize(
    ("arguments", "error"),
    [((-1, 2, 0), ValueError), ((4, 2, 2), ValueError), ((4, 2, -1), ValueError),
     ((4.0, 2, 0), TypeError), ((True, 2, 0), TypeError)],
)
def test_balance211_refuses(arguments, error):
    with pytest.raises(error):
        balance211(*arguments)


@given(m=st.integers(0, 3000), n=st.integers(0, 3000), k=st.integers(0, 3000),
       bound=st.integers(0, 4096))
def test_tasks_are_within_the_bound(m, n, k, bound):
    d = Matmul((m, k), (k, n), attr=PrimitiveAttr(max_num_threads=bound)).decomposition
    assert 1 <= d.tasks <= max(1, bound)
    assert all(g <= e for g, e in zip(d.grid, d.extent, strict=True))
    assert 0 < d.balance <= 1


def test_large_work_uses_all_it_may():
    for bound in (1, 2, 4, 8):
        attr = PrimitiveAttr(max_num_threads=bound)
        assert Matmul((2048, 512), (512, 2048), attr=attr).decomposition.tasks == bound


def test_small_work_stays_on_one_task_and_says_why():
    d = Matmul((4, 4), (4, 4), attr=PrimitiveAttr(max_num_threads=8)).decomposition
    assert d.tasks == 1
    assert "one" in str(d) or "1 task" in str(d)


def test_str_shows_grid_tiles_tasks_and_balance():
    attr = PrimitiveAttr(max_num_threads=4)
    text = str(Matmul((512, 512), (512, 512), attr=attr).decomposition)
    for part in ("4 tasks", "batch", "m ", "n ", "balance", "tile"):
        assert part in text


class Recording(ThreadpoolIface):
    def __init__(self):
        self.regions = []

    @property
    def num_threads(self):
        return 4

    def parallel_for(self, n, fn):
        self.regions.append(n)
        for i in range(n):
            fn(i, n)


def test_bound_zero_never_reaches_a_pool_and_bound_one_does():
    a = np.ones((40, 50), np.float32)
    b = np.ones((50, 200), np.float32)
    with Recording() as pool, threadpool(pool):
        alone = Matmul((40, 50), (50, 200), attr=PrimitiveAttr(max_num_threads=0))
        alone(a, alone.pack_weights(b))
        alone(a, b, stream=Stream(pool))
        assert pool.regions == []
        one = Matmul((40, 50), (50, 200), attr=PrimitiveAttr(max_num_threads=1))
        packed = one.pack_weights(b)
        pool.regions.clear()
        one(a, packed)
        assert pool.regions == [1]


def test_bound_zero_has_one_task():
    attr = PrimitiveAttr(max_num_threads=0)
    assert Conv2d((1, 64, 56, 56), (64, 64, 3, 3), attr=attr).decomposition.tasks == 1


@pytest.mark.parametrize("grid", [(1, 1, 1), (1, 3, 2), (1, 2, 1)])
def test_a_given_grid_is_used_and_changes_no_bit(grid):
    rng = np.random.default_rng(0)
    a, b = (rng.standard_normal(s).astype(np.float32) for s in ((40, 50), (50, 200)))
    attr = PrimitiveAttr(max_num_threads=6,
                         decomposition=Decomposition(("batch", "m", "n"), grid))
    mm = Matmul((40, 50), (50, 200), attr=attr)
    assert mm.decomposition.grid == grid
    assert same_bits(mm(a, b), Matmul((40, 50), (50, 200))(a, b))


@pytest.mark.filterwarnings("ignore::threadpool_iface.OversubscriptionWarning")
def test_execution_splits_for_the_pool_that_runs():
    mm = Matmul((512, 512), (512, 512),
                attr=PrimitiveAttr(max_num_threads=3, decomposition="execution"))
    a = np.zeros((512, 512), np.float32)
    for size, expected in ((1, 1), (2, 2), (8, 3)):
        with OmpLikePool(size) as pool, threadpool(pool):
            mm(a, a)
            assert mm.decomposition.tasks == expected
    with threadpool(None):
        mm(a, a)
        assert mm.decomposition.tasks == 1


def test_a_primitive_without_a_bound_takes_the_active_pools_size():
    with OmpLikePool(2) as pool, threadpool(pool):
        assert Matmul((700, 700), (700, 700)).bound == 2


def test_decompositions_compare_by_what_they_split():
    one = Decomposition(("m",), (2,), (4,), reason="mine")
    assert one == Decomposition(("m",), (2,), (4,), reason="yours")
    assert one.balance == 1.0
    assert Decomposition(("m",), (3,), (4,)).balance == pytest.approx(4 / 6)
    with pytest.raises(ValueError, match="grid"):
        Decomposition(("m",), (0,))


def test_a_split_explains_itself_and_its_alternatives():
    attr = PrimitiveAttr(max_num_threads=4)
    d = Matmul((784, 512), (512, 1000), attr=attr).decomposition
    assert d.predictions[0][0] == d.grid
    costs = [seconds for _, seconds in d.predictions]
    assert costs == sorted(costs)
    first, largest, *rest = d.explain().splitlines()
    assert first == str(d)
    assert largest.startswith("largest task: 1 of 1 batch, ")
    assert rest[0].endswith("us  <- chosen")
    assert any(line.split()[:5] == ["1", "x", "1", "x", "1"] for line in rest)  # one task
    assert all(line.endswith("x") and float(line.split()[-1][:-1]) >= 1 for line in rest[1:])


def test_a_given_split_explains_what_it_knows():
    assert Decomposition(("m",), (2,)).explain() == "2 tasks: m 2 (given)"


def test_a_picture_colours_each_unit_by_its_task(tmp_path):
    pytest.importorskip("matplotlib")
    from threadpool_iface.decomposition_picture import _tasks

    d = Decomposition(("batch", "m", "n"), (2, 1, 2), (2, 1, 3))
    assert _tasks(d) == [[0, 0, 1], [2, 2, 3]]
    path = tmp_path / "split.png"
    d.picture(str(path))
    assert path.read_bytes().startswith(b"\x89PNG")
    with pytest.raises(ValueError, match="no extents"):
        Decomposition(("m",), (2,)).picture(str(path))


def test_channels_that_fill_one_panel_and_half_of_another_are_no_even_split():
    nr = isa.current().nr
    conv = Conv2d((1, 28, 28, 32), (nr * 3 // 2, 32, 5, 5), padding=2, layout="nhwc",
                  attr=PrimitiveAttr(max_num_threads=2))
    predictions = dict(conv.decomposition.predictions)
    assert conv.decomposition.grid == (1, 2, 1)
    assert predictions[1, 1, 2] > 1.25 * predictions[1, 2, 1]


def test_the_panels_of_a_group_are_narrow_together():
    conv = Conv2d((1, 9, 9, 64), (64, 8, 3, 3), groups=8, layout="nhwc").descriptor
    assert [columns(conv, isa.current(), panels) for panels in (1, 3, 8)] == [8, 24, 64]
