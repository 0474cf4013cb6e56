"""Small programs to launch, and the launcher as a process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

LAUNCH = [sys.executable, "-m", "threadpool_iface.cli", "launch"]
#: The launcher's variables, and those that it would keep.
_UNSET = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS",
          "KMP_AFFINITY", "KMP_BLOCKTIME", "PYTHONUNBUFFERED", "THREADPOOL_IFACE_POOL",
          "ITEX_OMP_THREADPOOL", "LD_PRELOAD")


def clean_environment(**more: str) -> dict[str, str]:
    kept = {name: text for name, text in os.environ.items() if name not in _UNSET}
    return {**kept, **more}


def program(folder: Path, code: str) -> str:
    path = folder / "program.py"
    path.write_text(code)
    return str(path)


def launch(*arguments: object, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*LAUNCH, *map(str, arguments)], capture_output=True, text=True,
                          env=clean_environment(**more), timeout=120, check=False)


def start(*arguments: object, **more: str) -> subprocess.Popen[str]:
    """The launcher, running; its standard output can be read line by line."""
    return subprocess.Popen([*LAUNCH, *map(str, arguments)], stdout=subprocess.PIPE, text=True,
                            stderr=subprocess.PIPE, env=clean_environment(**more))


def processes_with(marker: str) -> list[str]:
    """The numbers of the processes that have this text in their environment."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if marker.encode() in (folder / "environ").read_bytes():
                found.append(folder.name)
        except OSError:
            pass
    return found
