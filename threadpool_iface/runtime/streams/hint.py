"""Hint: along which axes the arguments or the results of a function hold the batch."""

from __future__ import annotations

from typing import Any, final

from ...arguments import checked_int

#: What the tree of a hint is made of, beside axes and None.
BRANCHES = (tuple, list, dict)


@final
class Hint:
    """The batch axis of each argument or result, None where there is nothing to split or join.

    It looks like the call that it is for: `Hint(0, None, mask=1)` for `fn(x, weights, mask=m)`.
    Where an argument is a tuple, list or dict of arrays, so is its hint: `Hint({"ids": 0}, [1,
    None])`. For results, `Hint(0)` is one array, `Hint(0, 1)` a tuple of two, `Hint(y=0)` a dict.

    Parameters
    ----------
    *axes, **named_axes : int, None, or tuple, list or dict of these
        A negative axis counts from the last.

    Raises
    ------
    TypeError
        A leaf is something else.
    """

    __slots__ = ("axes", "named_axes")

    axes: tuple[Any, ...]
    named_axes: dict[str, Any]

    def __init__(self, *axes: Any, **named_axes: Any) -> None:
        for place, axis in enumerate(axes):
            _check(axis, f"axis {place} of Hint")
        for name, axis in named_axes.items():
            _check(axis, f"{name} of Hint")
        object.__setattr__(self, "axes", axes)
        object.__setattr__(self, "named_axes", named_axes)

    def of_result(self) -> Any:
        """As the tree of what a function returns.

        Raises
        ------
        ValueError
            It has axes with and without names, or none at all.
        """
        if bool(self.axes) == bool(self.named_axes):
            raise ValueError(f"output_hint must be Hint(axis) for one array, Hint(axis, axis) for "
                             f"a tuple or Hint(name=axis) for a dict, not {self!r}")
        if self.named_axes:
            return self.named_axes
        return self.axes if len(self.axes) > 1 else self.axes[0]

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"a Hint cannot be changed: {name}")

    def __reduce__(self) -> tuple[Any, ...]:
        return _made, (self.axes, self.named_axes)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Hint):
            return NotImplemented
        return self.axes == other.axes and self.named_axes == other.named_axes

    # Its trees may hold lists and dicts.
    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        named = (f"{name}={axis!r}" for name, axis in self.named_axes.items())
        return f"Hint({', '.join([*map(repr, self.axes), *named])})"


def _made(axes: tuple[Any, ...], named_axes: dict[str, Any]) -> Hint:
    return Hint(*axes, **named_axes)


def _check(axis: Any, name: str) -> None:
    if axis is None:
        return
    if isinstance(axis, BRANCHES):
        keys = axis if isinstance(axis, dict) else range(len(axis))
        for key in keys:
            _check(axis[key], f"{name}[{key!r}]")
        return
    if isinstance(axis, bool) or not hasattr(axis, "__index__"):
        raise TypeError(f"{name} must be a batch axis, None, or a tuple, list or dict of these, "
                        f"not {axis!r}")
    checked_int(axis, name, -64, 63)
