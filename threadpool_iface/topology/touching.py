"""first_touch: the memory of an array on the nodes of the cores that will work on it."""

from __future__ import annotations

import mmap
from typing import TYPE_CHECKING, Any

from ..decomposition import balance211
from ..pools import OmpLikePool
from ..runtime.binding import Binding
from ..runtime.pools import checked_cores, pool_on
from .cpu_pool import CPUPool

if TYPE_CHECKING:
    import numpy as np


def first_touch(array: np.ndarray[Any, Any], cpu_pool: CPUPool) -> np.ndarray[Any, Any]:
    """Have each core touch its share of `array`, and return it, unchanged.

    The kernel takes a page from the node of the core that writes to it first. The shares are
    contiguous, even blocks, those of task i of n where `parallel(n, task)` or a static schedule
    divide the array's memory by n cores. What was written to before stays where it is, so do this
    with a new array, from `numpy.empty` or `numpy.zeros`, before anything else; nothing else may
    write to it meanwhile.

    Parameters
    ----------
    array : numpy.ndarray
        Writable and contiguous, in C's or Fortran's order.
    cpu_pool : CPUPool
        The cores.

    Raises
    ------
    TypeError, ValueError
        An argument outside its domain; an array of Python objects.
    RuntimeError
        Called inside a region.
    """
    pages = _pages(array)
    cores = checked_cores(cpu_pool).core_ids

    def touch(ithr: int, nthr: int) -> None:
        for part in pages:
            begin, end = balance211(len(part), nthr, ithr)
            mine = part[begin:end]
            mine |= 0

    pool = pool_on(cpu_pool, OmpLikePool)
    # The pool's workers are bound already, each to its core.
    with Binding(CPUPool._of(cores[:1])):
        pool.run_together(len(cores), touch)
    return array


def _pages(array: np.ndarray[Any, Any]) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """The first byte, and the first byte of each page after it."""
    import numpy as np

    if not isinstance(array, np.ndarray):
        raise TypeError(f"array must be a numpy.ndarray, not {array!r}")
    if array.dtype.hasobject:
        raise TypeError(f"array must not hold Python objects, as {array.dtype} does")
    if not array.flags.writeable:
        raise ValueError("array must be writable")
    if not (array.flags.c_contiguous or array.flags.f_contiguous):
        raise ValueError("array must be contiguous, in C's or Fortran's order, not have strides "
                         f"{array.strides} for shape {array.shape}")
    bytes_ = np.asarray(array).ravel(order="K").view(np.uint8)
    return bytes_[:1], bytes_[-array.ctypes.data % mmap.PAGESIZE::mmap.PAGESIZE]
