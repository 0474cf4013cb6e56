"""Walking arguments and results by the tree of a hint.

A tree is a batch axis, None for a value that is neither split nor joined, or a tuple, list or dict
of trees, which the value then matches in kind and length.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from .hint import BRANCHES


class Leaf(NamedTuple):
    """A value that the tree has an axis or None for."""

    #: As messages name it.
    name: str
    value: Any
    #: Counted from the first; None: not split.
    axis: int | None


def is_array(value: Any) -> bool:
    """Whether it has an axis that could be the batch."""
    return getattr(value, "ndim", 0) > 0 and hasattr(value, "shape")


def leaves(value: Any, tree: Any, name: str, hint: str) -> list[Leaf]:
    """Every leaf, in order; `name` is what messages call the value, `hint` the hint.

    Raises
    ------
    TypeError, ValueError
        The value does not match the tree.
    """
    if tree is None:
        return [Leaf(name, value, None)]
    if isinstance(tree, BRANCHES):
        return [leaf for key in _matching_keys(value, tree, name, hint)
                for leaf in leaves(value[key], tree[key], f"{name}[{key!r}]", hint)]
    return [Leaf(name, value, _axis(value, tree, name, hint))]


def _matching_keys(value: Any, tree: Any, name: str, hint: str) -> Any:
    kind = next(kind for kind in BRANCHES if isinstance(tree, kind))
    if not isinstance(value, kind):
        raise TypeError(f"{hint} has a {kind.__name__} for {name}, which is {_shown(value)}")
    keys = tree if kind is dict else range(len(tree))
    if len(value) != len(tree) or (kind is dict and set(value) != set(tree)):
        has = list(value) if kind is dict else f"{len(value)} values"
        wants = list(tree) if kind is dict else f"{len(tree)} axes"
        raise ValueError(f"{hint} has {wants} for {name}, which has {has}; "
                         "None stands for what is not split")
    return keys


def _axis(value: Any, axis: int, name: str, hint: str) -> int:
    if not is_array(value):
        raise TypeError(f"{hint} has axis {axis} for {name}, which is no array but "
                        f"{_shown(value)}; None stands for what is not split")
    if not -value.ndim <= axis < value.ndim:
        raise ValueError(f"{hint} has axis {axis} for {name}, which has shape "
                         f"{tuple(value.shape)}: allowed are {-value.ndim}..{value.ndim - 1}")
    return int(axis) % int(value.ndim)


def _shown(value: Any) -> str:
    text = repr(value)
    return f"a {type(value).__name__}" if len(text) > 60 else text


def part(value: Any, tree: Any, begin: int, end: int) -> Any:
    """The value with every array cut to these items; it must match the tree."""
    if tree is None:
        return value
    if isinstance(tree, dict):
        return {key: part(value[key], tree[key], begin, end) for key in value}
    if isinstance(tree, BRANCHES):
        return rebuilt(value, [part(each, of, begin, end)
                               for each, of in zip(value, tree, strict=True)])
    if tree == 0:
        return value[begin:end]
    return value[along(tree % value.ndim, begin, end)]


def along(axis: int, begin: int, end: int) -> tuple[slice, ...]:
    """The index of these items along an axis."""
    return (*(slice(None),) * axis, slice(begin, end))


def rebuilt(like: Any, values: list[Any]) -> Any:
    """A tuple, named tuple or list of these values, of the kind that `like` is."""
    if hasattr(like, "_make"):
        return like._make(values)
    return tuple(values) if isinstance(like, tuple) else values


def replaced(value: Any, tree: Any, values: Iterator[Any]) -> Any:
    """The value with its leaves replaced, in order, by these."""
    if isinstance(tree, dict):
        return {key: replaced(value[key], tree[key], values) for key in tree}
    if isinstance(tree, BRANCHES):
        return rebuilt(value, [replaced(each, of, values)
                               for each, of in zip(value, tree, strict=True)])
    return next(values)
