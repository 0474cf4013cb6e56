"""Scratchpads: the memory an execution works in, kept by the primitive between executions."""

from __future__ import annotations

from collections import deque

import numpy as np

#: Buffers a primitive keeps for later executions. More at once are made and dropped, not kept.
KEPT = 4


class Scratchpads:
    """A bounded free list of equal buffers; any number of threads may take and give back.

    The size follows the decomposition: bytes for its tasks, never for the pool that runs them.
    """

    __slots__ = ("_free", "words")

    def __init__(self, nbytes: int) -> None:
        self.words = -(-nbytes // 8)
        self._free: deque[np.ndarray] = deque(maxlen=KEPT)

    def take(self) -> np.ndarray:
        """An int64 buffer with undefined content."""
        try:
            return self._free.pop()  # atomic, so no lock
        except IndexError:
            return np.empty(self.words, dtype=np.int64)

    def give(self, buffer: np.ndarray) -> None:
        self._free.append(buffer)
