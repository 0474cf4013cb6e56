"""The arguments of one call: how many items they hold, and the part that a stream gets."""

from __future__ import annotations

from typing import Any

from .hint import Hint
from .trees import is_array, leaves, part


class Batch:
    """Arguments, and along which axes they are split.

    Raises
    ------
    TypeError, ValueError
        Nothing can be split, arguments hold different numbers of items, or they do not match the
        hint.
    """

    __slots__ = ("_args", "_axes", "_kwargs", "_named_axes", "size")

    #: Items.
    size: int

    def __init__(self, args: tuple[Any, ...], kwargs: dict[str, Any], hint: Hint | None) -> None:
        self._args, self._kwargs = args, kwargs
        if hint is None:
            self._axes: tuple[Any, ...] = tuple(0 if is_array(value) else None for value in args)
            self._named_axes = {name: 0 if is_array(value) else None
                                for name, value in kwargs.items()}
        else:
            _same_arguments(args, kwargs, hint)
            self._axes, self._named_axes = hint.axes, hint.named_axes
        self.size = self._items()

    def _items(self) -> int:
        sizes = {
            leaf.name: int(leaf.value.shape[leaf.axis])
            for name, value, tree in self._named()
            for leaf in leaves(value, tree, name, "input_hint") if leaf.axis is not None}
        if not sizes:
            raise ValueError("there is nothing to split: no argument is an array that input_hint "
                             f"({Hint(*self._axes, **self._named_axes)!r}) has an axis for")
        if len(set(sizes.values())) > 1:
            each = ", ".join(f"{name} has {size}" for name, size in sizes.items())
            raise ValueError(f"arguments must hold the same number of items: {each}; give "
                             "input_hint, with None for what is not split")
        return next(iter(sizes.values()))

    def _named(self) -> list[tuple[str, Any, Any]]:
        return [
            *((f"argument {place}", value, tree)
              for place, (value, tree) in enumerate(zip(self._args, self._axes, strict=True))),
            *((f"argument {name!r}", value, self._named_axes[name])
              for name, value in self._kwargs.items())]

    def part(self, begin: int, end: int) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The arguments of the stream that computes these items."""
        return (part(self._args, self._axes, begin, end),
                part(self._kwargs, self._named_axes, begin, end))


def _same_arguments(args: tuple[Any, ...], kwargs: dict[str, Any], hint: Hint) -> None:
    if len(args) != len(hint.axes):
        raise ValueError(f"input_hint must have an axis or None for each of the {len(args)} "
                         f"arguments without a name, not {len(hint.axes)}: {hint!r}")
    if kwargs.keys() != hint.named_axes.keys():
        raise ValueError(f"input_hint must have an axis or None for the arguments named "
                         f"{list(kwargs)}, not {list(hint.named_axes)}: {hint!r}")
