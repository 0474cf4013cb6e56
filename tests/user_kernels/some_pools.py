"""A pool of each design, for tests whose bodies take long to compile or fail."""

from __future__ import annotations

from ..threadpool_iface.pools_under_test import ALL

SOME = {name: ALL[name] for name in
        ("sequential", "omp-2", "omp-dynamic", "eigen-8", "libgomp", "python", "executor")}
