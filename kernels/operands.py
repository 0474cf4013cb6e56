"""Checks of the arrays of a call. The common case costs a few comparisons; errors name the operand.
"""

from __future__ import annotations

from typing import Any, NoReturn

import numpy as np

from .shapes import Shape

F32 = np.dtype(np.float32)
F64 = np.dtype(np.float64)
DTYPES = {"float32": F32, "float64": F64}
#: Stands for "no bias": the drivers look at the size.
NONE = np.empty(0, dtype=F32)
_NONE = {F32: NONE, F64: np.empty(0, dtype=F64)}


def checked(array: Any, name: str, shape: Shape, dtype: np.dtype[Any] = F32) -> np.ndarray:
    """`array` if it is an ndarray of `shape` and `dtype`; a byte-misaligned one is copied."""
    if type(array) is np.ndarray and array.shape == shape and array.dtype is dtype:
        return array if array.flags.aligned else array.copy()
    return _looked_at_again(array, name, shape, dtype)


def _looked_at_again(array: Any, name: str, shape: Shape, dtype: np.dtype[Any]) -> np.ndarray:
    if not isinstance(array, np.ndarray):
        raise TypeError(f"{name} must be a NumPy array, not {type(array).__name__}")
    if array.dtype != dtype:
        raise TypeError(f"{name} must have dtype {dtype}, not {array.dtype}: cast it yourself")
    if array.shape != shape:
        raise ValueError(f"{name} must have shape {shape}, not {array.shape}")
    if isinstance(array, np.ma.MaskedArray):
        raise TypeError(f"{name} is a masked array; its mask would be ignored")
    array = np.asarray(array)
    return array if array.flags.aligned and array.dtype.isnative else array.astype(dtype)


def checked_bias(
    bias: Any, wanted: bool, length: int, dtype: np.dtype[Any] = F32
) -> np.ndarray:
    """The bias as a contiguous vector, or an empty one."""
    if bias is None:
        if wanted:
            raise ValueError(f"bias is missing: this primitive was created with bias=True, "
                             f"so it needs an array of shape ({length},)")
        return _NONE[dtype]
    if not wanted:
        raise ValueError("bias was given, but this primitive was created with bias=False")
    bias = checked(bias, "bias", (length,), dtype)
    return bias if bias.flags.c_contiguous else np.ascontiguousarray(bias)


def checked_out(
    out: Any, shape: Shape, required: bool, *inputs: np.ndarray, dtype: np.dtype[Any] = F32
) -> np.ndarray:
    """`out` if results may be written to it, or a new array when it is None."""
    if out is None:
        if required:
            refuse_missing_out()
        return np.empty(shape, dtype=dtype)
    if not (type(out) is np.ndarray and out.dtype is dtype and out.shape == shape
            and out.flags.writeable):
        _look_at_out_again(out, shape, dtype)
    # Arrays that own their memory share it with no other; most calls need to look no further.
    if out.base is not None:
        _refuse_overlap(out, inputs)
    else:
        for array in inputs:
            if array is out or array.base is not None:
                _refuse_overlap(out, inputs)
                break
    return out


def _look_at_out_again(out: Any, shape: Shape, dtype: np.dtype[Any]) -> None:
    if not isinstance(out, np.ndarray):
        raise TypeError(f"out must be a NumPy array or None, not {type(out).__name__}")
    if isinstance(out, np.ma.MaskedArray):
        raise TypeError("out is a masked array; its mask would be ignored")
    if out.dtype != dtype or not out.dtype.isnative:
        raise TypeError(f"out must have dtype {dtype}, not {out.dtype}")
    if out.shape != shape:
        raise ValueError(f"out must have shape {shape}, not {out.shape}")
    if not out.flags.writeable:
        raise ValueError("out is read-only")


def refuse_missing_out() -> NoReturn:
    raise ValueError("out is missing: the post-op sum adds to what it holds")


def _refuse_overlap(out: np.ndarray, inputs: tuple[np.ndarray, ...]) -> None:
    if not out.flags.c_contiguous and _repeats(out):
        raise ValueError("out overlaps itself: several of its elements share memory")
    for array in inputs:
        if array.size and np.may_share_memory(out, array) and np.shares_memory(out, array):
            raise ValueError("out overlaps an input; give it memory of its own")


def _repeats(out: np.ndarray) -> bool:
    """Whether two elements share a byte."""
    if out.size < 2:
        return False
    axes = [axis for axis, extent in enumerate(out.shape) if extent > 1]
    span = out.itemsize  # of all dimensions with a smaller stride
    for axis in sorted(axes, key=lambda axis: abs(out.strides[axis])):
        step = abs(out.strides[axis])
        if step < span:
            return any(_repeats_along(out, axis) for axis in axes)
        span += step * (out.shape[axis] - 1)
    return False


def _repeats_along(out: np.ndarray, axis: int) -> bool:
    """Whether two elements whose index differs along this axis share a byte.

    It depends on the difference alone, so each is compared with the first.
    """
    moved = np.moveaxis(out, axis, 0)
    return any(np.shares_memory(moved[:1], moved[i : i + 1]) for i in range(1, len(moved)))
