"""SequentialPool: the pool of one."""

from __future__ import annotations

from ..native import lib
from .native import NativePool


class SequentialPool(NativePool):
    """Runs every task on the calling thread, in order. The baseline of every comparison."""

    def __init__(self) -> None:
        super().__init__(lib.tpi_box_sequential, 1)
