"""Pool2d: maximum and average over windows of an image."""

from .primitive import Pool2d

__all__ = ["Pool2d"]
