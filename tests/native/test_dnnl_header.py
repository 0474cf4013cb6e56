"""The adapter for oneDNN, compiled against its headers; nothing links to it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from .building import CORE, HERE

HEADER = Path("/usr/include/oneapi/dnnl/dnnl_threadpool_iface.hpp")
FLAGS = ["-std=c++11", "-Wall", "-Wextra", "-Werror", "-Wno-missing-field-initializers",
         f"-I{CORE / 'include'}", f"-I{CORE / 'src'}"]

pytestmark = pytest.mark.skipif(not HEADER.exists(), reason="libdnnl is not installed")


def compiled(folder: Path, *command: str) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("sanitizer", ["none", "thread", "address,undefined"])
def test_it_does_what_onednn_asks_for(tmp_path, sanitizer):
    flags = [] if sanitizer == "none" else [f"-fsanitize={sanitizer}"]
    compiled(tmp_path, "gcc", "-std=gnu11", "-O1", "-g", "-pthread", "-c", "-Wno-tsan", *flags,
             f"-I{CORE / 'include'}", *map(str, (CORE / "src").glob("*.c")))
    compiled(tmp_path, "g++", "-O1", "-g", "-pthread", *FLAGS, *flags,
             str(HERE / "dnnl_header.cpp"), *map(str, tmp_path.glob("*.o")), "-o", "program")
    done = subprocess.run([tmp_path / "program"], capture_output=True, text=True, timeout=60,
                          check=False)
    assert (done.returncode, done.stdout) == (0, "0 wrong\n"), done.stderr[-3000:]


def test_the_example_compiles(tmp_path):
    example = HERE.parents[1] / "docs" / "examples" / "dnnl_stream.cpp"
    compiled(tmp_path, "g++", "-c", *FLAGS, str(example), "-o", "example.o")
