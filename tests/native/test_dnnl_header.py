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


def run(folder: Path, *flags: str) -> None:
    """Build the program and the core, and run it."""
    compiled(folder, "gcc", "-std=gnu11", "-O1", "-g", "-pthread", "-c", "-Wno-tsan", *flags,
             f"-I{CORE / 'include'}", *map(str, (CORE / "src").glob("*.c")))
    compiled(folder, "g++", "-O1", "-g", "-pthread", *flags, *FLAGS,
             str(HERE / "dnnl_header.cpp"), *map(str, folder.glob("*.o")), "-o", "program")
    done = subprocess.run([folder / "program"], capture_output=True, text=True, timeout=60,
                          check=False)
    assert (done.returncode, done.stdout) == (0, "0 wrong\n"), done.stderr[-3000:]


@pytest.mark.parametrize("sanitizer", ["none", "thread", "address,undefined"])
def test_it_does_what_onednn_asks_for(tmp_path, sanitizer):
    run(tmp_path, *([] if sanitizer == "none" else [f"-fsanitize={sanitizer}"]))


def test_it_implements_the_interface_with_and_without_wait(tmp_path):
    """oneDNN 3 has `wait` in the interface, older ones don't; try the one that is not installed."""
    wait = "virtual void wait() = 0;"
    text = HEADER.read_text()
    flags = "/// Returns threadpool behavior flags"
    other = text.replace(wait, "") if wait in text else text.replace(flags, f"{wait}\n    {flags}")
    assert other != text
    header = tmp_path / "other" / "oneapi" / "dnnl" / HEADER.name
    header.parent.mkdir(parents=True)
    header.write_text(other)
    run(tmp_path, f"-I{tmp_path / 'other'}",
        *(["-DINTERFACE_WAITS"] if wait in other else []))


def test_the_example_compiles(tmp_path):
    example = HERE.parents[1] / "docs" / "examples" / "dnnl_stream.cpp"
    compiled(tmp_path, "g++", "-c", *FLAGS, str(example), "-o", "example.o")
