"""Unmodified numba code on our pools: `install()`, and every parallel loop runs on the active pool.

See docs/numba.md. Importing this imports neither numba nor llvmlite.
"""

from .installing import VARIABLE, install, installed, uninstall

__all__ = ["VARIABLE", "install", "installed", "uninstall"]
