"""PackedWeights: weights in a kernel's own layout, as an opaque value."""

from __future__ import annotations

from typing import Any

import numpy as np

from .words import CACHE_LINE


def aligned_array(count: int, dtype: str) -> np.ndarray:
    """`count` elements that start on a cache line."""
    nbytes = count * np.dtype(dtype).itemsize
    raw = np.empty(nbytes + CACHE_LINE, dtype=np.uint8)
    start = -raw.ctypes.data % CACHE_LINE
    return raw[start : start + nbytes].view(dtype)


class PackedWeights:
    """What a primitive's `pack_weights` returns: a read-only snapshot that names its layout."""

    __slots__ = ("_panels", "layout")

    def __init__(self, layout: tuple[Any, ...], panels: np.ndarray) -> None:
        panels.flags.writeable = False
        self.layout = layout
        self._panels = panels

    @property
    def nbytes(self) -> int:
        """Bytes held, padding included."""
        return int(self._panels.nbytes)

    def panels_for(self, layout: tuple[Any, ...]) -> np.ndarray:
        """The panels, if they are in `layout`; ValueError otherwise."""
        if layout != self.layout:
            raise ValueError(f"packed weights have the layout {self.layout}; this primitive "
                             f"needs {layout}: pack them with it, or with one of equal weights")
        return self._panels

    def __repr__(self) -> str:
        return f"<PackedWeights {' '.join(map(str, self.layout))}, {self.nbytes} bytes>"
