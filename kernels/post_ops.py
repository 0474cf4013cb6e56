"""Post-ops: what is fused after a primitive's sum and bias, in the order given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite

import numpy as np

from .microkernels import emit


@dataclass(frozen=True)
class Relu:
    """max(x, 0). NaN stays NaN."""


@dataclass(frozen=True)
class Sum:
    """x + scale * (what `out` held before the call); `out` is then required.

    `scale` is the beta of a GEMM: a finite float, 1.0 by default.
    """

    scale: float = 1.0

    def __post_init__(self) -> None:
        if isinstance(self.scale, bool) or not isinstance(self.scale, (int, float)):
            raise TypeError(f"scale must be a float, not {self.scale!r}")
        if not isfinite(self.scale):
            raise ValueError(f"scale must be finite, not {self.scale!r}")
        object.__setattr__(self, "scale", float(self.scale))


PostOp = Relu | Sum
_BY_NAME: dict[str, PostOp] = {"relu": Relu(), "sum": Sum()}
_CODES = {Relu: emit.OP_RELU, Sum: emit.OP_SUM}


def parse(post_ops: Sequence[str | PostOp]) -> tuple[PostOp, ...]:
    """The post-ops as objects.

    Raises
    ------
    TypeError
        `post_ops` is a string (write `("relu",)`) or holds something that is not a post-op.
    ValueError
        An unknown name, or more than fit.
    """
    if isinstance(post_ops, (str, Relu, Sum)):
        raise TypeError(f"post_ops must be a sequence such as ({post_ops!r},), not {post_ops!r}")
    try:
        given = tuple(post_ops)
    except TypeError:
        raise TypeError(f"post_ops must be a sequence, not {post_ops!r}") from None
    if len(given) > emit.MAX_POST_OPS:
        raise ValueError(f"post_ops has {len(given)} entries; at most {emit.MAX_POST_OPS} fit")
    return tuple(_one(op) for op in given)


def _one(op: str | PostOp) -> PostOp:
    if isinstance(op, str):
        if op not in _BY_NAME:
            raise ValueError(f"post_ops has {op!r}; the names are {sorted(_BY_NAME)}")
        return _BY_NAME[op]
    if not isinstance(op, (Relu, Sum)):
        raise TypeError(f"post_ops has {op!r}; allowed are names, Relu() and Sum()")
    return op


def encode(post_ops: tuple[PostOp, ...]) -> tuple[int, np.ndarray]:
    """The microkernel's form: op codes in one word, and a float32 scale for each op."""
    code = 0
    for position, op in enumerate(post_ops):
        code |= _CODES[type(op)] << (4 * position)
    scales = [op.scale if isinstance(op, Sum) else 0.0 for op in post_ops]
    return code, np.array(scales or [0.0], dtype=np.float32)


def describe(post_ops: tuple[PostOp, ...]) -> str:
    """As benchdnn writes them: `relu+sum:0.5`."""
    return "+".join(
        f"sum:{op.scale:g}" if isinstance(op, Sum) else "relu" for op in post_ops
    )
