"""No kernel reads or writes outside its operands: pages that fault lie right before and behind.

An access outside ends the process, so the calls are made in one of their own.
"""

from __future__ import annotations

import subprocess
import sys

import pytest

PRELUDE = """
import ctypes, mmap
import numpy as np
from kernels import BatchNorm, Binary, Conv2d, Eltwise, Matmul, Reorder, Softmax
from threadpool_iface import OmpLikePool, PrimitiveAttr, set_threadpool

libc = ctypes.CDLL(None, use_errno=True)
PAGE = mmap.PAGESIZE
alive = []

def guarded(shape, at_end):
    # Between two pages that fault: ends where the second begins, or begins behind the first.
    size = 4 * int(np.prod(shape))
    inner = -(-size // PAGE) * PAGE
    block = mmap.mmap(-1, inner + 2 * PAGE)
    alive.append(block)
    address = ctypes.addressof(ctypes.c_char.from_buffer(block))
    for page in (address, address + PAGE + inner):
        assert libc.mprotect(ctypes.c_void_p(page), PAGE, 0) == 0
    start = PAGE + (inner - size if at_end else 0)
    array = np.frombuffer(block, np.float32, size // 4, start).reshape(shape)
    array[...] = np.random.default_rng(1).standard_normal(shape, np.float32)
    return array

set_threadpool(OmpLikePool(2))
"""

MATMUL = """
for m, k, n in [(1, 1, 1), (1, 5, 17), (3, 7, 5), (6, 16, 64), (7, 33, 65), (13, 400, 63),
                (50, 9, 130)]:
    for at_end in (False, True):
        for transpose_b in (False, True):
            a, b = guarded((m, k), at_end), guarded((n, k) if transpose_b else (k, n), at_end)
            bias, out = guarded((n,), at_end), guarded((m, n), at_end)
            mm = Matmul(a.shape, b.shape, transpose_b=transpose_b, bias=True,
                        post_ops=("sum", "relu"))
            before = out.copy()
            mm(a, b, bias, out=out)
            product = a.astype(float) @ (b.T if transpose_b else b)
            assert np.allclose(out, np.maximum(product + bias + before, 0), atol=1e-4)
            mm(a, mm.pack_weights(b), bias, out=out)
            if not m % 2 and not k % 2 and not n % 2:
                a, b, out = (x.view(np.float64) for x in (a, b, out))
                if not transpose_b:
                    b = b.reshape(-1)[: k // 2 * (n // 2)].reshape(k // 2, n // 2)
                    Matmul(a.shape, b.shape, dtype="float64")(a, b, out=out)
print("ok")
"""

CONV2D = """
for algorithm in ("direct", "winograd"):
    for size, ic, oc, k, groups in [(3, 1, 1, 3, 1), (7, 3, 5, 3, 1), (9, 17, 33, 3, 1),
                                    (21, 16, 70, 3, 1), (8, 24, 24, 3, 24), (5, 6, 4, 2, 2),
                                    (6, 20, 40, 1, 1)]:
        if algorithm == "winograd" and (k != 3 or groups != 1):
            continue
        for layout in ("nhwc", "nchw"):
            for at_end in (False, True):
                shape = (1, size, size, ic) if layout == "nhwc" else (1, ic, size, size)
                src = guarded(shape, at_end)
                weights, bias = guarded((oc, ic // groups, k, k), at_end), guarded((oc,), at_end)
                conv = Conv2d(src.shape, weights.shape, padding=1, groups=groups, layout=layout,
                              bias=True, post_ops=("sum", "relu"),
                              attr=PrimitiveAttr(algorithm=algorithm))
                out = guarded(conv.descriptor.out_shape, at_end)
                reference = out.copy()
                conv(src, weights, bias, out=out)
                conv(src.copy(), weights.copy(), bias.copy(), out=reference)
                assert (out == reference).all()
                conv(src, conv.pack_weights(weights), bias, out=out)
for kernel in ((1, 7), (7, 1), (1, 5)):
    for size, ic, oc in [(1, 1, 1), (9, 17, 33), (17, 30, 40)]:
        for at_end in (False, True):
            src, weights = guarded((1, size, size, ic), at_end), guarded((oc, ic, *kernel), at_end)
            conv = Conv2d(src.shape, weights.shape, layout="nhwc", padding=(kernel[0] // 2,
                          kernel[1] // 2), attr=PrimitiveAttr(algorithm="winograd"))
            out = guarded(conv.descriptor.out_shape, at_end)
            assert (conv(src, weights, out=out) == conv(src.copy(), weights.copy())).all()
print("ok")
"""


ELEMENTWISE = """
for shape in [(1, 1, 1, 1), (1, 3, 5, 17), (2, 16, 4, 16), (1, 33, 1, 31), (1, 5, 40, 41)]:
    for at_end in (False, True):
        src, other, out = (guarded(shape, at_end) for _ in range(3))
        flat = guarded((shape[1],), at_end)
        Eltwise(shape, ("sum", "silu"))(src, out=out)
        Binary("add", shape, shape)(src, other, out=out)
        BatchNorm(shape)(src, flat, abs(flat), flat, flat, out=out)
        for axis in range(4):
            Softmax(shape, axis)(src, out=out)
        for source, target in (("abcd", "acdb"), ("abcd", "adbc"), ("abcd", "dcba")):
            axes = [source.index(letter) for letter in target]
            there = guarded(tuple(shape[a] for a in axes), at_end)
            Reorder(shape, source, target)(src, out=there)
            assert (there == src.transpose(axes)).all()
print("ok")
"""


@pytest.mark.parametrize("calls", [MATMUL, CONV2D, ELEMENTWISE],
                         ids=["matmul", "conv2d", "elementwise"])
def test_nothing_outside_the_operands_is_touched(calls):
    done = subprocess.run([sys.executable, "-X", "faulthandler", "-c", PRELUDE + calls],
                          capture_output=True, text=True, timeout=300, check=False)
    assert done.stdout == "ok\n", done.stderr


def test_the_guards_do_fault():
    touch = "a = guarded((5,), True)\nctypes.string_at(a.ctypes.data, 21)"
    done = subprocess.run([sys.executable, "-c", PRELUDE + touch], capture_output=True, text=True,
                          timeout=300, check=False)
    assert done.returncode < 0
