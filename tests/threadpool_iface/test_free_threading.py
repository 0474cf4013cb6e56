"""Without the GIL the library refuses to be imported; a free-threaded Python with it is fine."""

from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.parametrize(("enabled", "imported"), [(True, True), (False, False)])
def test_the_gil_is_needed(enabled, imported):
    code = f"import sys; sys._is_gil_enabled = lambda: {enabled}; import threadpool_iface"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True,
                          timeout=60, check=False)
    assert (done.returncode == 0) is imported
    assert imported or "needs the GIL" in done.stderr
