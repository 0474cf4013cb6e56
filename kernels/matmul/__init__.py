"""Matmul: descriptor, decomposition, plan, and the nopython driver."""

from .primitive import Matmul

__all__ = ["Matmul"]
