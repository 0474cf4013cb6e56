"""Claims on cores: nobody else has them, until they are given back."""

from __future__ import annotations

import subprocess
import sys

import pytest

from threadpool_iface import CPUPool
from threadpool_iface.topology.claims import claim

ALL = CPUPool()


def test_claimed_cores_are_different():
    claims = [claim(1, ALL) for _ in ALL]
    assert CPUPool(core for each in claims for core in each.cores) == ALL
    with pytest.raises(RuntimeError, match="no 1 cores side by side are left"):
        claim(1, ALL)
    claims[-1].close()
    with claim(1, ALL) as again:
        assert again.cores == claims[-1].cores
    for each in claims:
        each.close()


def test_a_claim_is_whole_or_nothing():
    with claim(1, ALL), pytest.raises(RuntimeError):
        claim(len(ALL), ALL)
    claim(len(ALL), ALL).close()


@pytest.mark.parametrize("count", [0, len(ALL) + 1])
def test_more_than_there_are_is_refused(count):
    with pytest.raises(ValueError, match=f"cannot claim {count}"):
        claim(count, ALL)


def test_a_claim_ends_with_its_process_and_holds_in_others():
    code = ("from threadpool_iface import CPUPool\n"
            "from threadpool_iface.topology.claims import claim\n"
            "claimed = claim(len(CPUPool()), CPUPool())\nprint('ready', flush=True)\ninput()")
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout.readline() == "ready\n"
        with pytest.raises(RuntimeError):
            claim(1, ALL)
        other.kill()
    claim(len(ALL), ALL).close()
