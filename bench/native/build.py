"""Shared libraries for the benchmark, built once for each version of their source."""

from __future__ import annotations

import hashlib
import os
import subprocess
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path

HERE = Path(__file__).parent
FLAGS = {".c": ("-std=gnu11", "-O2"), ".cpp": ("-std=c++17", "-O2", "-DNDEBUG")}


def compiler(suffix: str) -> str:
    """The system's compiler for sources that end so."""
    return os.environ.get("CC", "cc") if suffix == ".c" else os.environ.get("CXX", "c++")


def shared_library(source: str, *options: str) -> Path:
    """The library of a source beside this file; `options` follow it on the command line.

    Raises
    ------
    RuntimeError
        The compiler is missing or failed; its own words are in the message.
    """
    path = HERE / source
    command = [compiler(path.suffix), *FLAGS[path.suffix], "-shared", "-fPIC", str(path), *options]
    digest = hashlib.sha256(path.read_bytes() + repr(command).encode()).hexdigest()[:16]
    folder = HERE / "__pycache__"
    target = folder / f"{path.stem}-{digest}.so"
    if not target.exists():
        folder.mkdir(exist_ok=True)
        _compile(command, target)
    return target


def _compile(command: Sequence[str], target: Path) -> None:
    with tempfile.NamedTemporaryFile(dir=target.parent, suffix=".so", delete=False) as half:
        try:
            subprocess.run([*command, "-o", half.name], check=True, capture_output=True, text=True)
        except (OSError, subprocess.CalledProcessError) as error:
            os.unlink(half.name)
            words = getattr(error, "stderr", "") or error
            raise RuntimeError(f"cannot build {target.stem}: {words}") from error
    os.replace(half.name, target)  # whole or not at all, whoever builds at the same time


@cache
def has_header(header: str, *options: str) -> bool:
    """Whether the system's C++ compiler finds a header."""
    text = f"#if !__has_include(<{header}>)\n#error missing\n#endif\n"
    command = [compiler(".cpp"), "-E", "-x", "c++", *options, "-"]
    try:
        done = subprocess.run(command, input=text, text=True, capture_output=True, check=False)
    except OSError:
        return False
    return done.returncode == 0
