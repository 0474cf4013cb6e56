"""Verbose lines: what ran, how it was split, on how many threads; and nothing when off."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

from kernels import Conv2d, Matmul
from threadpool_iface import OmpLikePool, PrimitiveAttr, Stream, set_verbose, threadpool


@pytest.fixture
def verbose():
    yield set_verbose
    set_verbose(0)


def test_an_execution_prints_one_csv_line(verbose, capsys):
    attr = PrimitiveAttr(max_num_threads=4)
    mm = Matmul((256, 300), (300, 512), bias=True, post_ops=("relu",), attr=attr)
    operands = [np.ones(s, np.float32) for s in ((256, 300), (300, 512), (512,))]
    with OmpLikePool(2) as pool, threadpool(pool):
        mm(*operands)
        assert capsys.readouterr().out == ""
        verbose(1)
        mm(*operands)
    (line,) = capsys.readouterr().out.splitlines()
    fields = line.split(",")
    assert fields[:3] == ["threadpool_iface", "exec", "matmul"]
    assert fields[3].startswith("gemm_f32:")
    assert fields[4] == "256x300:300x512 --bia-dt=f32 --attr-post-ops=relu"
    assert fields[5] == "max_num_threads:4"
    assert fields[7] in ("created:4/ran:1", "created:4/ran:2")
    assert fields[8] == "OmpLikePool:2"
    assert float(fields[9]) > 0
    assert len(fields) == 10


def test_a_convolution_is_named_as_benchdnn_does(verbose, capsys):
    verbose(2)
    conv = Conv2d((1, 9, 9, 4), (6, 2, 3, 3), groups=2, padding=(1, 2), dilation=2, layout="nhwc",
                  attr=PrimitiveAttr(max_num_threads=0))
    conv(np.ones((1, 9, 9, 4), np.float32), np.ones((6, 2, 3, 3), np.float32),
         stream=Stream(None))
    created, executed = capsys.readouterr().out.splitlines()
    shape = "--stag=nhwc g2mb1ic4ih9iw9oc6oh7ow9kh3kw3sh1sw1ph1pw2dh1dw1"
    assert created.split(",")[1:5:3] == ["create", shape]
    assert executed.split(",")[7:9] == ["created:1/ran:1", "caller"]


@pytest.mark.parametrize("level", [-1, 3, True, "1", None])
def test_levels_outside_the_domain_are_refused(level):
    with pytest.raises(ValueError, match="0, 1 or 2"):
        set_verbose(level)


def test_the_variable_is_checked():
    done = subprocess.run([sys.executable, "-c", "import threadpool_iface"], text=True,
                          env={**os.environ, "THREADPOOL_IFACE_VERBOSE": "yes"},
                          capture_output=True, check=False)
    assert "THREADPOOL_IFACE_VERBOSE must be 0, 1 or 2, not 'yes'" in done.stderr


def test_lines_go_to_a_file_if_the_environment_names_one(verbose, capsys, monkeypatch, tmp_path):
    file = tmp_path / "lines"
    file.write_text("before\n")
    monkeypatch.setenv("THREADPOOL_IFACE_VERBOSE_FILE", str(file))
    mm = Matmul((2, 3), (3, 4))
    verbose(1)
    mm(np.ones((2, 3), np.float32), np.ones((3, 4), np.float32))
    before, line = file.read_text().splitlines()
    assert before == "before"
    assert line.startswith("threadpool_iface,exec,matmul,")
    assert capsys.readouterr().out == ""
