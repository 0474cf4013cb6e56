"""Conv2d: descriptor, decomposition, plan, and the nopython driver."""

from .primitive import Conv2d

__all__ = ["Conv2d"]
