"""ISAs below the host's, forced through numba's own variables, each in its own process."""

from __future__ import annotations

import os
import platform
import subprocess
import sys

import pytest

SCRIPT = """
import numpy as np
from kernels import Binary, Conv2d, Matmul, Reorder, Softmax
from kernels.microkernels import isa
assert isa.current().name == {name!r}, isa.current()
rng = np.random.default_rng(0)
r = lambda *s: rng.standard_normal(s).astype(np.float32)
for m, n, k in ((1, 1, 1), (13, 70, 33), (50, 37, 500), (7, 129, 3)):
    a, b = r(m, k), r(k, n)
    mm = Matmul((m, k), (k, n), post_ops=("relu",))
    expected = np.maximum(a.astype(np.float64) @ b, 0)
    for weights in (b, mm.pack_weights(b)):
        np.testing.assert_allclose(mm(a, weights), expected, rtol=1e-4, atol=1e-4)
    x, y = a.astype(np.float64), b.astype(np.float64)
    np.testing.assert_allclose(Matmul((m, k), (k, n), dtype="float64")(x, y), x @ y, rtol=1e-9)
src = r(1, 9, 9, 21)
one = Conv2d(src.shape, (21, 1, 3, 3), groups=21, padding=1, layout="nhwc")
w = r(21, 1, 3, 3)
depthwise = one(src, w)
diagonal = np.zeros((21, 21, 3, 3), np.float32)
diagonal[np.arange(21), np.arange(21)] = w[:, 0]
dense = Conv2d(src.shape, diagonal.shape, padding=1, layout="nhwc")(src, diagonal)
np.testing.assert_allclose(depthwise, dense, rtol=1e-4, atol=1e-4)
np.testing.assert_array_equal(Binary("max", src.shape, (9, 1))(src, src[0, :, :1, 0]),
                              np.maximum(src, src[0, :, :1, 0]))
np.testing.assert_array_equal(Reorder(src.shape, "nhwc", "nchw")(src), src.transpose(0, 3, 1, 2))
exps = np.exp(src.astype(np.float64))
for axis in range(4):
    np.testing.assert_allclose(Softmax(src.shape, axis)(src),
                               exps / exps.sum(axis, keepdims=True), rtol=1e-5)
print("ok")
"""

TARGETS = {
    "avx2": ("haswell", "+avx2,+fma,+avx"),
    "generic": ("generic", ""),
}


@pytest.mark.skipif(platform.machine() != "x86_64", reason="x86-64 feature names")
@pytest.mark.parametrize("name", TARGETS)
def test_lower_instruction_sets_compute_the_same_values(name, tmp_path):
    cpu, features = TARGETS[name]
    env = {**os.environ, "NUMBA_CPU_NAME": cpu, "NUMBA_CPU_FEATURES": features,
           "NUMBA_CACHE_DIR": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", SCRIPT.format(name=name)], env=env,
                          capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("ok\n")
