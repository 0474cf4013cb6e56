"""What NumPy and SciPy do with BLAS, by name: each takes a square matrix."""

from __future__ import annotations

import numpy as np
import scipy.linalg

OPERATIONS = {
    "numpy matmul": lambda a: a @ a,
    "numpy matvec": lambda a: np.tile(a, (4, 4)) @ np.ones(4 * len(a), a.dtype),
    "numpy solve": lambda a: np.linalg.solve(a, a[:, ::-1]),
    "numpy cholesky": lambda a: np.linalg.cholesky(a @ a.T),
    "numpy svd": lambda a: np.linalg.svd(a, compute_uv=False),
    "scipy lu": lambda a: scipy.linalg.lu(a)[2],
    "scipy solve": lambda a: scipy.linalg.solve(a, a[::-1]),
    "scipy cholesky": lambda a: scipy.linalg.cholesky(a @ a.T),
    "scipy svd": lambda a: scipy.linalg.svd(a, compute_uv=False),
    "scipy gemm": lambda a: scipy.linalg.blas.get_blas_funcs("gemm", (a,))(1.0, a, a),
}


def close(result, expected) -> bool:
    """Equal up to the rounding of the type, relative to the largest value."""
    bound = 300 * np.finfo(expected.dtype).eps * np.abs(expected).max()
    return bool(np.abs(result - expected).max() <= bound)
