"""The commands in docs/launching.md run, with the program that it shows."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from threadpool_iface import CPUPool

from .programs import clean_environment

PAGE = (Path(__file__).parents[2] / "docs" / "launching.md").read_text()
PROGRAM = re.search(r"^```python\n(# infer.py\n.*?)^```", PAGE, re.M | re.S)[1]
COMMANDS = [line for block in re.findall(r"^```sh\n(.*?)^```", PAGE, re.M | re.S)
            for line in block.splitlines()]


@pytest.mark.skipif(len(CPUPool.physical()) < 2, reason="a machine of 2 cores is needed")
@pytest.mark.parametrize("line", COMMANDS)
def test_commands_run(tmp_path, line):
    (tmp_path / "infer.py").write_text(PROGRAM)
    name, *arguments = shlex.split(line, comments=True)
    assert name == "threadpool-iface"
    done = subprocess.run([sys.executable, "-m", "threadpool_iface.cli", *arguments], cwd=tmp_path,
                          env=clean_environment(), capture_output=True, text=True, timeout=300,
                          check=False)
    assert done.returncode == 0, done.stderr
