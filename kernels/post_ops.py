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


@dataclass(frozen=True)
class Clip:
    """min(max(x, low), high); "relu6" is `Clip(0, 6)`. NaN stays NaN."""

    low: float
    high: float

    def __post_init__(self) -> None:
        for name in ("low", "high"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, (int, float)):
                raise TypeError(f"{name} must be a float, not {value!r}")
            object.__setattr__(self, name, float(value))
        if not self.low <= self.high:
            raise ValueError(f"low must be at most high, not {self.low} and {self.high}")


@dataclass(frozen=True)
class Function:
    """A function of each element: "sigmoid", "silu", "tanh", "gelu" (by erf) or "gelu_tanh".

    `microkernels.functions` has their formulas and errors.
    """

    name: str

    def __post_init__(self) -> None:
        if self.name not in emit.FUNCTION_NAMES:
            raise ValueError(f"name must be one of {list(emit.FUNCTION_NAMES)}, not {self.name!r}")


PostOp = Relu | Sum | Clip | Function
_KINDS = (Relu, Sum, Clip, Function)
_BY_NAME: dict[str, PostOp] = {
    "relu": Relu(), "sum": Sum(), "relu6": Clip(0, 6),
    **{name: Function(name) for name in emit.FUNCTION_NAMES},
}
_BENCHDNN = {"sigmoid": "logistic", "silu": "swish:1", "tanh": "tanh", "gelu": "gelu_erf",
             "gelu_tanh": "gelu_tanh"}


def parse(post_ops: Sequence[str | PostOp], name: str = "post_ops") -> tuple[PostOp, ...]:
    """The post-ops as objects; errors call the argument by `name`.

    Raises
    ------
    TypeError
        `post_ops` is a string (write `("relu",)`) or holds something that is not a post-op.
    ValueError
        An unknown name, or more than fit.
    """
    if isinstance(post_ops, (str, *_KINDS)):
        raise TypeError(f"{name} must be a sequence such as ({post_ops!r},), not {post_ops!r}")
    try:
        given = tuple(post_ops)
    except TypeError:
        raise TypeError(f"{name} must be a sequence, not {post_ops!r}") from None
    if len(given) > emit.MAX_POST_OPS:
        raise ValueError(f"{name} has {len(given)} entries; at most {emit.MAX_POST_OPS} fit")
    return tuple(_one(op, name) for op in given)


def _one(op: str | PostOp, name: str) -> PostOp:
    if isinstance(op, str):
        if op not in _BY_NAME:
            raise ValueError(f"{name} has {op!r}; the names are {sorted(_BY_NAME)}")
        return _BY_NAME[op]
    if not isinstance(op, _KINDS):
        raise TypeError(f"{name} has {op!r}; allowed are names, Relu(), Sum(), Clip() and "
                        "Function()")
    return op


def _code(op: PostOp) -> int:
    if isinstance(op, Function):
        return emit.OP_FUNCTIONS + emit.FUNCTION_NAMES.index(op.name)
    return {Relu: emit.OP_RELU, Sum: emit.OP_SUM, Clip: emit.OP_CLIP}[type(op)]


def refuse_functions(post_ops: tuple[PostOp, ...], dtype: str) -> None:
    """Raise for what exists only in float32."""
    for op in post_ops:
        if isinstance(op, Function) and dtype != "float32":
            raise ValueError(f"post_ops has {op.name!r}, which is computed in float32 only; "
                             f"{dtype} has relu, relu6, sum and Clip")


def encode(post_ops: tuple[PostOp, ...], dtype: str = "float32") -> tuple[int, np.ndarray]:
    """The microkernel's form: op codes in one word, and two parameters of `dtype` for each op."""
    code = 0
    parameters = np.zeros((max(1, len(post_ops)), 2), dtype=dtype)
    for position, op in enumerate(post_ops):
        code |= _code(op) << (4 * position)
        if isinstance(op, Sum):
            parameters[position, 0] = op.scale
        elif isinstance(op, Clip):
            parameters[position] = op.low, op.high
    return code, parameters


def describe(post_ops: tuple[PostOp, ...]) -> str:
    """As benchdnn writes them: `relu+sum:0.5`."""
    return "+".join(map(_described, post_ops))


def _described(op: PostOp) -> str:
    if isinstance(op, Sum):
        return f"sum:{op.scale:g}"
    if isinstance(op, Clip):
        return f"clip:{op.low:g}:{op.high:g}"
    return _BENCHDNN[op.name] if isinstance(op, Function) else "relu"
