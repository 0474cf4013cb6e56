"""pthreadpool's interface on our pools: every form of the family, as C and as C++."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from .building import CORE, HERE

INSTALLED = Path("/usr/include/pthreadpool.h")
FLAGS = ["-Wall", "-Wextra", "-Werror", "-g", "-O1", "-pthread",
         f"-I{CORE / 'include'}", f"-I{CORE / 'src'}"]


def compiled(folder: Path, *command: str) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def run(folder: Path, compiler: list[str], *flags: str) -> None:
    """Build the core, as C, and the program with `compiler`, and run it."""
    compiled(folder, "gcc", "-std=gnu11", "-c", "-Wno-tsan", *FLAGS, *flags,
             *map(str, (CORE / "src").glob("*.c")))
    compiled(folder, *compiler, *FLAGS, *flags, str(HERE / "pthreadpool_header.c"), "-c", "-o",
             "program.o")
    compiled(folder, compiler[0], "-pthread", *flags, *map(str, folder.glob("*.o")), "-o",
             "program")
    done = subprocess.run([folder / "program"], capture_output=True, text=True, timeout=120,
                          check=False)
    assert (done.returncode, done.stdout) == (0, "0 wrong\n"), done.stderr[-3000:]


@pytest.mark.parametrize("sanitizer", ["none", "thread", "address,undefined"])
def test_every_form_processes_every_item_once(tmp_path, sanitizer):
    run(tmp_path, ["gcc", "-std=gnu11"],
        *([] if sanitizer == "none" else [f"-fsanitize={sanitizer}"]))


def test_it_is_cxx_too(tmp_path):
    run(tmp_path, ["g++", "-std=c++11", "-x", "c++"])


@pytest.mark.skipif(not INSTALLED.exists(), reason="libpthreadpool is not installed")
def test_its_signatures_are_those_of_pthreadpool(tmp_path):
    run(tmp_path, ["gcc", "-std=gnu11"], "-DCOMPARED")
