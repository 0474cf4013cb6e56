"""Where the results of the streams meet: each copies its part into the whole, once, by itself.

The whole is allocated by the first stream that ends and written by all, so its pages lie near the
cores that computed them, and nobody waits for a copy at the end. A single stream's arrays are
handed on as they are.

Autograd records each copy into a tensor as one more step of that tensor's history. Two threads that
copied at the same time would lose steps, and gradients with them. So a part whose copy autograd
would record is kept, and the caller joins it when all streams have ended.
"""

from __future__ import annotations

import sys
import threading
from collections import defaultdict
from typing import Any, NamedTuple, Protocol

from .hint import Hint
from .trees import Leaf, along, is_array, leaves, replaced


class Results(Protocol):
    """Takes in what each stream returned, in the stream's thread; `whole` when all have ended."""

    def put(self, stream: int, begin: int, end: int, result: Any) -> None: ...

    def whole(self) -> Any: ...


class _Kept(NamedTuple):
    """A stream's part of one array, not yet in the whole."""

    begin: int
    end: int
    axis: int
    value: Any


class Listed:
    """Results side by side, not joined."""

    def __init__(self, streams: int) -> None:
        self._results: list[Any] = [None] * streams

    def put(self, stream: int, begin: int, end: int, result: Any) -> None:
        """Keep it."""
        self._results[stream] = result

    def whole(self) -> list[Any]:
        """One result for each stream, in the order of the batch."""
        return self._results


class Joined:
    """Arrays joined along their axes; of values that the hint has None for, a list.

    Parameters
    ----------
    items, streams : int
        Of the batch, and those that share it.
    hint : Hint, optional
        By default axis 0 of every array in the result.
    out : arrays, optional
        The whole, shaped as the result is.
    """

    def __init__(self, items: int, streams: int, hint: Hint | None, out: Any = None) -> None:
        self._items, self._streams, self._hint, self._out = items, streams, hint, out
        self._lock = threading.Lock()
        #: The first result, its tree, and for each of its leaves what it becomes.
        self._first: tuple[Any, Any, list[Any]] | None = None
        #: By place among the leaves: the parts that the caller has to join.
        self._kept: defaultdict[int, list[_Kept]] = defaultdict(list)

    def put(self, stream: int, begin: int, end: int, result: Any) -> None:
        """Copy it to where its items belong.

        Raises
        ------
        TypeError, ValueError
            It does not match the hint, the number of items, or another stream's result.
        """
        name = f"the result of stream {stream}"
        tree = self._tree(result, name)
        found = leaves(result, tree, name, "output_hint")
        for leaf in found:
            _check_items(leaf, end - begin)
        for place, (leaf, whole) in enumerate(
                zip(found, self._wholes(result, tree, found), strict=True)):
            if leaf.axis is None:
                whole[stream] = leaf.value
            elif whole is not leaf.value:
                target = whole[along(leaf.axis, begin, end)]
                _check_like(leaf, target)
                if _requires_grad(leaf.value) or _requires_grad(whole):
                    with self._lock:
                        self._kept[place].append(_Kept(begin, end, leaf.axis, leaf.value))
                else:
                    target[...] = leaf.value

    def _tree(self, result: Any, name: str) -> Any:
        if self._hint is not None:
            return self._hint.of_result()
        return None if result is None else tree_of(result, name)

    def _wholes(self, result: Any, tree: Any, found: list[Leaf]) -> list[Any]:
        with self._lock:
            if self._first is None:
                self._first = result, tree, self._made(tree, found)
            _, first_tree, wholes = self._first
        if tree != first_tree:
            raise ValueError(f"streams must return results of one structure, not {first_tree} and "
                             f"{tree}, their batch axes")
        return wholes

    def _made(self, tree: Any, found: list[Leaf]) -> list[Any]:
        if self._out is not None:
            return whole_out(self._out, tree, self._items)
        return [[None] * self._streams if leaf.axis is None
                else leaf.value if self._streams == 1
                else _empty(leaf.value, leaf.axis, self._items) for leaf in found]

    def whole(self) -> Any:
        """The joined result; None where every stream returned None."""
        assert self._first is not None
        result, tree, wholes = self._first
        for place, kept in self._kept.items():
            if self._out is None:
                wholes[place] = _concatenated(wholes[place], kept, self._items)
            else:
                _copy(kept, wholes[place])
        if self._out is not None:
            return self._out
        if tree is None and self._hint is None:
            return None
        return replaced(result, tree, iter(wholes))


def whole_out(out: Any, tree: Any, items: int) -> list[Any]:
    """The arrays of `out`.

    Raises
    ------
    TypeError, ValueError
        It does not match the tree, or has no room for these items or more than that.
    """
    found = leaves(out, tree, "out", "output_hint")
    for leaf in found:
        if leaf.axis is None:
            raise ValueError(f"output_hint has None for {leaf.name}, which cannot be written to")
        if leaf.value.shape[leaf.axis] != items:
            raise ValueError(f"{leaf.name} must have {items} along axis {leaf.axis}, for {items} "
                             f"items, not shape {tuple(leaf.value.shape)}")
    return [leaf.value for leaf in found]


def tree_of(result: Any, name: str) -> Any:
    """The tree with axis 0 for every array.

    Raises
    ------
    TypeError
        There is something else.
    """
    if is_array(result):
        return 0
    if isinstance(result, dict):
        return {key: tree_of(value, f"{name}[{key!r}]") for key, value in result.items()}
    if isinstance(result, (tuple, list)):
        trees = [tree_of(value, f"{name}[{place}]") for place, value in enumerate(result)]
        return trees if isinstance(result, list) else tuple(trees)
    raise TypeError(f"{name} is {result!r}, which has no axis to join along: give output_hint, "
                    "with None for what is not joined, or concat_output=False")


def _check_items(leaf: Leaf, items: int) -> None:
    if leaf.axis is not None and leaf.value.shape[leaf.axis] != items:
        raise ValueError(
            f"{leaf.name} has shape {tuple(leaf.value.shape)}, with {leaf.value.shape[leaf.axis]} "
            f"along axis {leaf.axis} for {items} items: give output_hint, with the batch axis or "
            "None for what is not joined, or concat_output=False")


def _check_like(leaf: Leaf, target: Any) -> None:
    """Assigning would broadcast or cast without a word."""
    value = leaf.value
    if target.shape != value.shape or target.dtype != value.dtype:
        raise ValueError(f"{leaf.name} has shape {tuple(value.shape)} and type {value.dtype}; its "
                         f"place in the whole has {tuple(target.shape)} and {target.dtype}")


def _empty(like: Any, axis: int, items: int) -> Any:
    """An array for the whole batch, in the memory order of a part."""
    shape = (*like.shape[:axis], items, *like.shape[axis + 1:])
    if hasattr(like, "new_empty_strided"):  # a tensor of PyTorch
        return like.new_empty_strided(shape, _strides(like, shape))
    if hasattr(like, "new_empty"):
        return like.new_empty(shape)
    import numpy as np

    return np.empty_like(like, shape=shape)


def _strides(like: Any, shape: tuple[int, ...]) -> list[int]:
    """Of a dense tensor whose axes lie in memory in the order of this one's; channels_last too."""
    order = list(reversed(range(like.ndim)))
    if 0 not in like.stride():  # an expanded axis has no place in the order
        order.sort(key=like.stride)
    strides, step = [0] * like.ndim, 1
    for axis in order:
        strides[axis] = step
        step *= max(1, shape[axis])
    return strides


def _requires_grad(array: Any) -> bool:
    """Whether autograd follows it."""
    tensor = getattr(sys.modules.get("torch"), "Tensor", ())
    return isinstance(array, tensor) and bool(array.requires_grad)


def _concatenated(whole: Any, kept: list[_Kept], items: int) -> Any:
    """The whole as autograd follows it; it holds what streams have copied to it already."""
    axis = kept[0].axis
    pieces, done = [], 0
    for part in sorted(kept, key=lambda part: part.begin):
        if done < part.begin:
            pieces.append(whole[along(axis, done, part.begin)])
        pieces.append(part.value)
        done = part.end
    if done < items:
        pieces.append(whole[along(axis, done, items)])
    return sys.modules["torch"].cat(pieces, dim=axis)


def _copy(kept: list[_Kept], whole: Any) -> None:
    for part in kept:
        whole[along(part.axis, part.begin, part.end)] = part.value
