"""ForeignPool: a pool that another native library made, through the public C header."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self

from ..arguments import checked_int
from ..native import ffi, lib
from .native import NativePool


class ForeignPool(NativePool):
    """A pool behind a `tpi_pool *` that native code got from `tpi_pool_new`.

    Parameters
    ----------
    handle : int or PyCapsule
        Its address: the object takes over one reference and gives it back when it is dropped;
        native code that goes on using the handle keeps one of its own (`tpi_pool_retain`). Or a
        capsule named TPI_CAPSULE_NAME ("threadpool_iface.tpi_pool") with the pointer inside, which
        keeps its own reference.

    A library that cannot link against the C core finds its functions with
    `threadpool_iface.native.address(name)`.

    Raises
    ------
    TypeError, ValueError
        `handle` is neither, a capsule of something else, or null. Nothing else can be checked: any
        other number that is not such an address crashes the process.
    """

    def __init__(self, handle: Any) -> None:
        if type(handle).__name__ == "PyCapsule":
            from ..capsules import address_in

            self._hold(address_in(handle), lib.tpi_box_retained)
        else:
            self._hold(checked_int(handle, "handle", 1), lib.tpi_box_taken_over)

    @classmethod
    def sharing(cls, address: int) -> Self:
        """The pool at this address, with a reference of its own."""
        pool = object.__new__(cls)
        pool._hold(address, lib.tpi_box_retained)
        return pool

    def _hold(self, address: int, fill: Callable[[Any, Any], None]) -> None:
        pointer = ffi.cast("tpi_pool *", address)
        super().__init__(lambda box: fill(box, pointer), int(lib.tpi_pool_num_threads(pointer)))
