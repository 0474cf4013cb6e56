"""ForeignPool: a pool that another native library made, through the public C header."""

from __future__ import annotations

from ..arguments import checked_int
from ..native import ffi, lib
from .native import NativePool


class ForeignPool(NativePool):
    """A pool behind a `tpi_pool *` that native code got from `tpi_pool_new`.

    Parameters
    ----------
    handle : int
        Its address. The object takes over one reference and gives it back when it is dropped;
        native code that goes on using the handle keeps one of its own (`tpi_pool_retain`).

    A library that cannot link against the C core finds its functions with
    `threadpool_iface.native.address(name)`.

    Raises
    ------
    TypeError, ValueError
        `handle` is not an integer, or null. Nothing else can be checked: any other number that is
        not such an address crashes the process.
    """

    def __init__(self, handle: int) -> None:
        pointer = ffi.cast("tpi_pool *", checked_int(handle, "handle", 1))
        super().__init__(pointer, int(lib.tpi_pool_num_threads(pointer)))
