"""`python -m threadpool_iface.numba_layer script.py args...`: a program on our pools, unchanged."""

from __future__ import annotations

from ..running import run_program
from . import install

USAGE = """usage: python -m threadpool_iface.numba_layer (script.py | -m module) [args...]

Runs the program with the numba layer installed. THREADPOOL_IFACE_POOL=omp or eigen makes a default
pool; without one, loops of threads that choose no pool run on numba's own layer."""

run_program(USAGE, install)
