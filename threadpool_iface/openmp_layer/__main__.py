"""`python -m threadpool_iface.openmp_layer script.py args...`: any program on our pools."""

from __future__ import annotations

from ..running import run_program
from . import install

USAGE = """usage: python -m threadpool_iface.openmp_layer (script.py | -m module) [args...]

Runs the program with the OpenMP layer installed. THREADPOOL_IFACE_POOL=omp or eigen makes a default
pool; without one, regions of threads that choose no pool run on libgomp's own threads."""

run_program(USAGE, install)
