"""Threads in particular orders (`orders.c`), under AddressSanitizer with its search for leaks."""

from __future__ import annotations

import subprocess

import pytest

from .building import build_stress

ORDERS = [
    "wait while submitting",
    "close while submitting",
    *(f"fork while waiting: {pool}, {what}"
      for pool in ("fork-join", "stealing") for what in ("loop", "turn")),
]


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    return build_stress(tmp_path_factory.mktemp("orders"), "-fsanitize=address",
                        "-Wl,--wrap=pthread_mutex_lock", name="orders")


@pytest.mark.parametrize("order", ORDERS)
def test_threads_in_this_order(program, order):
    done = subprocess.run([program, order], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr[-4000:]
