"""ForeignPool: a pool that another native library made, through the public C header."""

from __future__ import annotations

from typing import Any

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
        pointer = _pointer(handle)
        super().__init__(pointer, int(lib.tpi_pool_num_threads(pointer)))


def _pointer(handle: Any) -> Any:
    """The handle with a reference of its own."""
    if type(handle).__name__ != "PyCapsule":
        return ffi.cast("tpi_pool *", checked_int(handle, "handle", 1))
    from ..capsules import address_in

    pointer = ffi.cast("tpi_pool *", address_in(handle))
    lib.tpi_pool_retain(pointer)
    return pointer
