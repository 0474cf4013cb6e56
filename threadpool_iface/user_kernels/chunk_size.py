"""The chunks of a reduction or scan without a grain."""

from __future__ import annotations


def chunk_size(n: int) -> int:
    """Items of a chunk, from n alone: about 64 chunks, or 256 from 65536 items on.

    A guess between two costs: a chunk of a cheap body must not vanish beside the 20 ns that handing
    it out takes, and chunks of a dear one must be enough for many threads.
    """
    chunks = 64 if n < 65536 else 256
    return max(1, n // chunks + (n % chunks != 0))
