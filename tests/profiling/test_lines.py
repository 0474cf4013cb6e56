"""Verbose lines, read and summed."""

from __future__ import annotations

import pytest

from threadpool_iface.profiling.lines import Kernel, Mismatch, Sums

LINE = ("threadpool_iface,exec,matmul,gemm_f32:avx2,2x3:3x4,max_num_threads:4,1x1x4,"
        "created:{}/ran:{},OmpLikePool:2,{}\n")


def test_executions_of_a_kernel_add_up():
    sums = Sums()
    for created, ran, milliseconds in ((4, 2, 1.5), (4, 2, 0.5), (1, 1, 0.25), (4, 1, 1)):
        sums.add(LINE.format(created, ran, milliseconds))
    ((kernel, found),) = sums.kernels()
    assert kernel == Kernel("matmul", "gemm_f32", "avx2")
    assert (found.calls, found.milliseconds, found.threads) == (4, 3.25, (1, 2))
    assert found.mismatches == [Mismatch(4, 2, 2), Mismatch(4, 1, 1)]
    assert dict(found.pools) == {"OmpLikePool:2": 4}
    assert sums.milliseconds == 3.25


def test_the_longest_comes_first():
    sums = Sums()
    sums.add(LINE.format(1, 1, 1))
    sums.add(LINE.replace("matmul", "pooling").format(1, 1, 2))
    assert [kernel.primitive for kernel, _ in sums.kernels()] == ["pooling", "matmul"]


def test_shapes_are_kept_apart_if_asked_for():
    sums = Sums(by_shape=True)
    sums.add(LINE.format(1, 1, 1))
    sums.add(LINE.replace("3x4", "3x5").format(1, 1, 1))
    assert {kernel.shape for kernel, _ in sums.kernels()} == {"2x3:3x4", "2x3:3x5"}


@pytest.mark.parametrize("line", [
    "", "\n", "hello\n", "threadpool_iface,exec\n", "threadpool_iface,exec,a,b,c,d,e,f,g,h\n",
    LINE.format(1, 1, 1).replace("exec", "create"),
])
def test_other_lines_are_left_out(line):
    sums = Sums()
    sums.add(line)
    assert sums.kernels() == []
