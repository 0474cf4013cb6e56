"""The library has every function that libgomp has for the host."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from threadpool_iface import openmp_layer

#: As gcc installs it, from which programs are linked.
LIBGOMP = subprocess.run(["gcc", "-print-file-name=libgomp.so"], capture_output=True, text=True,
                         check=True).stdout.strip()
#: Of gcc 13 and 14, which the compiler here may be too old to have.
NEWER = {"GOMP_target_map_indirect_ptr", "omp_target_memset", "omp_in_explicit_task",
         "omp_target_is_accessible", "omp_get_mapped_ptr", "GOMP_taskwait_depend_nowait"}


def functions(library: str) -> set[str]:
    listed = subprocess.run(["nm", "-D", "--defined-only", library], capture_output=True, text=True,
                            check=True).stdout
    return set(re.findall(r" [TWi] ((?:GOMP|omp)_\w+)", listed))


def test_every_function_is_there():
    theirs = {name for name in functions(str(Path(LIBGOMP).resolve()))
              if not name.startswith("GOMP_PLUGIN")}
    assert len(theirs) > 250
    assert (theirs | NEWER) - functions(openmp_layer.path()) == set()
