"""PyCapsules, in which extension modules hand pools to each other."""

from __future__ import annotations

from ctypes import PYFUNCTYPE, c_char_p, c_int, c_void_p, py_object, pythonapi
from typing import Any

from .native import ffi, lib

_NAME = ffi.string(lib.tpi_capsule_name())

# Prototypes of this module's own: another one's settings of `pythonapi.X` stay as they are.
_new = PYFUNCTYPE(py_object, c_void_p)(lib.tpi_capsule_maker())
_is_valid = pythonapi["PyCapsule_IsValid"]
_is_valid.restype, _is_valid.argtypes = c_int, [py_object, c_char_p]
_pointer = pythonapi["PyCapsule_GetPointer"]
_pointer.restype, _pointer.argtypes = c_void_p, [py_object, c_char_p]


def capsule_of(pool: Any) -> Any:
    """A capsule with a reference of its own."""
    return _new(int(ffi.cast("uintptr_t", pool)))  # one call: what it retains, it hands on


def address_in(capsule: object) -> int:
    """The `tpi_pool *` in a capsule; the capsule keeps its reference.

    Raises
    ------
    TypeError
        It is a capsule of something else.
    """
    if not _is_valid(capsule, _NAME):
        raise TypeError(f"the capsule must be named {_NAME.decode()!r}, which {capsule!r} is not")
    return int(_pointer(capsule, _NAME))
