"""`python -m threadpool_iface.numba_layer script.py args...`: a program on our pools, unchanged."""

from __future__ import annotations

import os
import runpy
import sys

from . import install

USAGE = """usage: python -m threadpool_iface.numba_layer (script.py | -m module) [args...]

Runs the program with the numba layer installed. THREADPOOL_IFACE_POOL=omp or eigen makes a default
pool; without one, loops of threads that choose no pool run on numba's own layer."""


def main() -> None:
    arguments = sys.argv[1:]
    as_module = arguments[:1] == ["-m"]
    program = arguments[as_module:]
    if not program or (program[0].startswith("-") and not as_module):
        raise SystemExit(USAGE)
    install()
    sys.argv[:] = program
    if as_module:
        runpy.run_module(program[0], run_name="__main__", alter_sys=True)
    else:
        sys.path[0] = os.path.dirname(os.path.abspath(program[0]))
        runpy.run_path(program[0], run_name="__main__")


main()
