"""Builds OpenMP programs, and runs them on libgomp or with the layer in front of it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from threadpool_iface import openmp_layer

HERE = Path(__file__).parent
NATIVE = HERE.parents[1] / "threadpool_iface" / "native"
INCLUDE = [f"-I{NATIVE / 'include'}", f"-I{NATIVE / 'src'}"]
#: Where regions run: on libgomp's own threads, or on a pool of ours.
RUNTIMES = ("libgomp", "omp", "eigen")


def compile_program(source: Path, folder: Path, *flags: str) -> Path:
    """An executable that calls libgomp; CalledProcessError has the compiler's errors."""
    program = folder / source.stem
    _run("gcc", "-std=gnu11", "-O1", "-g", "-fopenmp", "-Wno-unknown-pragmas", *flags, str(source),
         "-o", str(program), "-lm")
    return program


def compile_with_layer(source: Path, folder: Path, *flags: str) -> Path:
    """An executable that has the layer's own code inside, so that a sanitizer sees that, too."""
    parts = {"program": ([source], ["-fopenmp", "-w"])}
    for part in ("gomp", "src"):
        parts[part] = (sorted((NATIVE / part).glob("*.c")), ["-Wno-tsan"])
    for part, (sources, extra) in parts.items():
        (folder / part).mkdir()
        _run("gcc", "-std=gnu11", "-O1", "-g", "-pthread", "-c", *extra, *flags, *INCLUDE,
             *map(str, sources), cwd=folder / part)
    program = folder / source.stem
    objects = map(str, sorted(folder.glob("*/*.o")))
    _run("gcc", *flags, "-fopenmp", *objects, "-o", str(program), "-lm", "-ldl")
    return program


def _run(*command: str, cwd: Path | None = None) -> None:
    subprocess.run(command, check=True, capture_output=True, text=True, cwd=cwd)


def environment(runtime: str, *, preload: bool = True) -> dict[str, str]:
    """To run a program on `runtime`; with `preload` the layer is not in it already."""
    env = {name: text for name, text in os.environ.items()
           if not name.startswith(("OMP_", "GOMP_", "THREADPOOL_IFACE_"))}
    env["OMP_CANCELLATION"] = "true"
    if runtime != "libgomp":
        env |= {"THREADPOOL_IFACE_OPENMP": "preload", "THREADPOOL_IFACE_POOL": runtime}
        if preload:
            env["LD_PRELOAD"] = openmp_layer.path()
    return env


def run(program: Path, *arguments: str, runtime: str, preload: bool = True,
        **variables: str) -> subprocess.CompletedProcess[str]:
    """Run it to its end."""
    env = environment(runtime, preload=preload) | variables
    return subprocess.run([program, *arguments], env=env, capture_output=True, text=True,
                          check=False, timeout=120)
