"""Reads benchdnn's shape files: convolutions, poolings and matmuls.

    # comment
    mb1ic64ih56oc64oh56kh3ph1n"res2a:3x3*3"        g1 mb2 s1 d0 by default, `_` between fields
    ic64_ih112oh56_kh3sh2ph1_n"pool1"              a pooling: neither oc nor g
    128x784:784x512n"mnist:fc1"                    M x K : K x N
    12x64x128:12x128x64                            B x M x K : B x K x N

A line means what benchdnn's own reader (oneDNN, tests/benchdnn, `str2desc`) takes it for, or is
refused:

- Where no width is given at all, the width is the height: extent, output, kernel, stride, padding
  and dilation together. Where part of it is given, the rest has its defaults.
- Where no height is given, the problem is 1-D: a height of 1.
- A missing output follows from the padding; a missing padding from the output, at both ends alike.
- Dilation 0 is dense.

`*count` at the end of a name is how often the layer occurs; that is ours. Problems with a depth,
with an output that leaves input unused, and matmuls that broadcast a batch are refused: nothing
here could run them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path

_AXES = "dhw"
#: Input, output, kernel, stride, padding and dilation: what each axis has.
_PER_AXIS = "iokspd"
#: What benchdnn starts from; a padding below 0 is one that is not given.
_START = {"i": 0, "o": 0, "k": 0, "s": 1, "p": -1, "d": 0}
#: What an axis is that the problem does not have.
_NO_AXIS = {"i": 1, "o": 1, "k": 1, "s": 1, "p": 0, "d": 0}

FIELDS = ("g", "mb", "ic", "oc", *(of + axis for of in _PER_AXIS for axis in _AXES))
_FIELD = re.compile(rf"({'|'.join(FIELDS)})(\d+)")
_NAME = re.compile(r'n"([^"]*)"$|n([^"]*)$')
_COUNT = re.compile(r"\*(\d+)$")
_GEMM = re.compile(r"(\d+(?:x\d+)+):(\d+(?:x\d+)+)$")
_COMMENT = re.compile(r"(?:^|\s)#.*")


class ShapeError(ValueError):
    """A line that cannot be read; the message names file, line and token."""


@dataclass(frozen=True)
class Gemm:
    """C[M, N] = A[M, K] B[K, N]."""

    m: int
    n: int
    k: int
    name: str = ""
    count: int = 1

    @property
    def flops(self) -> int:
        return 2 * self.m * self.n * self.k

    def __str__(self) -> str:
        return f"{self.m}x{self.n}x{self.k}"


@dataclass(frozen=True)
class BatchedGemm:
    """C[b] = A[b] B[b] for `batch` pairs of matrices."""

    batch: int
    m: int
    n: int
    k: int
    name: str = ""
    count: int = 1

    @property
    def flops(self) -> int:
        return 2 * self.batch * self.m * self.n * self.k

    def __str__(self) -> str:
        return f"{self.batch} of {self.m}x{self.n}x{self.k}"


@dataclass(frozen=True)
class Conv:
    """A convolution layer; padding is top and left, and what the output needs at the other end."""

    g: int
    mb: int
    ic: int
    ih: int
    iw: int
    oc: int
    oh: int
    ow: int
    kh: int
    kw: int
    sh: int
    sw: int
    ph: int
    pw: int
    dh: int
    dw: int
    name: str = ""
    count: int = 1

    @property
    def macs(self) -> int:
        return self.mb * self.oc * self.oh * self.ow * self.ic // self.g * self.kh * self.kw

    @property
    def flops(self) -> int:
        return 2 * self.macs

    @property
    def padding(self) -> tuple[int, int, int, int]:
        """(top, bottom, left, right)."""
        bottom = _after(self.oh, self.ih, self.kh, self.sh, self.ph, self.dh)
        right = _after(self.ow, self.iw, self.kw, self.sw, self.pw, self.dw)
        return self.ph, max(bottom, 0), self.pw, max(right, 0)

    def batch(self, mb: int) -> Conv:
        return replace(self, mb=mb)

    def __str__(self) -> str:
        text = f"{self.ic}x{self.ih}x{self.iw} -> {self.oc}, {self.kh}x{self.kw}"
        if (self.sh, self.sw) != (1, 1):
            text += f" /{self.sh}"
        return text + f" g{self.g}" * (self.g > 1)


@dataclass(frozen=True)
class Pool:
    """A pooling layer; padding as that of a convolution."""

    mb: int
    ic: int
    ih: int
    iw: int
    oh: int
    ow: int
    kh: int
    kw: int
    sh: int
    sw: int
    ph: int
    pw: int
    dh: int
    dw: int
    name: str = ""
    count: int = 1

    @property
    def padding(self) -> tuple[int, int, int, int]:
        """(top, bottom, left, right)."""
        bottom = _after(self.oh, self.ih, self.kh, self.sh, self.ph, self.dh)
        right = _after(self.ow, self.iw, self.kw, self.sw, self.pw, self.dw)
        return self.ph, max(bottom, 0), self.pw, max(right, 0)

    def __str__(self) -> str:
        return f"{self.ic}x{self.ih}x{self.iw}, pooled {self.kh}x{self.kw} /{self.sh}"


Shape = Conv | Pool | Gemm | BatchedGemm


def read_shapes(path: str | Path) -> list[Shape]:
    """All shapes of a file.

    Raises
    ------
    ShapeError
        A line is not a shape, or is one that cannot be represented; or the file holds none.
    OSError
        The file cannot be read.
    """
    found = []
    for number, line in enumerate(Path(path).read_text().splitlines(), 1):
        text = _COMMENT.sub("", line).strip()
        if text:
            try:
                found.append(parse_shape(text))
            except ShapeError as error:
                raise ShapeError(f"{path}, line {number}: {error}") from None
    if not found:
        raise ShapeError(f"{path} holds no shape")
    return found


def parse_shape(text: str) -> Shape:
    """One shape.

    Raises
    ------
    ShapeError
        It is none, or cannot be represented; the message names the token.
    """
    name, count = "", 1
    named = _NAME.search(text)
    if named:
        name, text = named[1] or named[2] or "", text[: named.start()].rstrip("_ ")
        counted = _COUNT.search(name)
        if counted:
            name, count = name[: counted.start()], int(counted.group(1))
    gemm = _GEMM.match(text)
    if gemm:
        a, b = ([int(extent) for extent in matrix.split("x")] for matrix in gemm.groups())
        return _matmul(text, a, b, name, count)
    fields = _fields(text)
    if "oc" in fields or "g" in fields:
        return _convolution(fields, name, count)
    return _pooling(fields, name, count)


def _matmul(text: str, a: list[int], b: list[int], name: str, count: int) -> Gemm | BatchedGemm:
    if len(a) != len(b) or len(a) > 3:
        raise ShapeError(f"{text!r}: expected MxK:KxN or BxMxK:BxKxN")
    if a[:-2] != b[:-2]:
        raise ShapeError(f"{text!r}: batches of {a[0]} and {b[0]}; a batch that is broadcast is "
                         "not supported")
    if a[-1] != b[-2]:
        raise ShapeError(f"{text!r}: A has {a[-1]} columns, B {b[-2]} rows")
    if 0 in (*a, *b):
        raise ShapeError(f"{text!r}: every extent must be positive")
    m, k, n = a[-2], a[-1], b[-1]
    return BatchedGemm(a[0], m, n, k, name, count) if len(a) == 3 else Gemm(m, n, k, name, count)


def _fields(text: str) -> dict[str, int]:
    fields: dict[str, int] = {}
    rest = text.lstrip("_")
    while rest:
        token = _FIELD.match(rest)
        if not token:
            raise ShapeError(f"cannot read {rest!r}; expected one of {', '.join(FIELDS)} and a "
                             'number, n"name", MxK:KxN or BxMxK:BxKxN')
        field, value = token.group(1), int(token.group(2))
        if fields.setdefault(field, value) != value:  # oneDNN's own lists repeat some fields
            raise ShapeError(f"{field!r} is given twice")
        rest = rest[token.end():].lstrip("_")
    return fields


def _convolution(fields: dict[str, int], name: str, count: int) -> Conv:
    windows = _windows(fields)
    g, mb, ic, oc = _channels(fields, g=1, mb=2, ic=0, oc=0)
    if ic % g or oc % g:
        raise ShapeError(f"g{g} divides not both ic{ic} and oc{oc}")
    return Conv(g=g, mb=mb, ic=ic, oc=oc, **windows, name=name, count=count)


def _pooling(fields: dict[str, int], name: str, count: int) -> Pool:
    windows = _windows(fields)
    mb, ic = _channels(fields, mb=2, ic=0)
    return Pool(mb=mb, ic=ic, **windows, name=name, count=count)


def _channels(fields: dict[str, int], **defaults: int) -> list[int]:
    """The fields that no axis has; those whose default is 0 must be given."""
    found = []
    for field, default in defaults.items():
        value = fields.get(field, default)
        if value < 1:
            raise ShapeError(f"{field}{value}: every extent must be positive" if field in fields
                             else f"{field!r} is missing")
        found.append(value)
    return found


def _windows(fields: dict[str, int]) -> dict[str, int]:
    """The fields of height and width, by benchdnn's rules."""
    d, h, w = ({of: fields.get(of + axis, start) for of, start in _START.items()}
               for axis in _AXES)
    if _is_given(d):
        raise ShapeError("it has a depth (id, od, kd, ...), and 3-D problems are not supported")
    if _is_given(h):
        _complete(h, "h")
    elif not _is_given(w):
        raise ShapeError("'ih' is missing, and so is 'iw'")
    if _is_given(w):
        _complete(w, "w")
    else:
        w = h
    if not _is_given(h):
        h = _NO_AXIS
    return {of + axis: extents[of] for of in _PER_AXIS for axis, extents in (("h", h), ("w", w))}


def _is_given(axis: dict[str, int]) -> bool:
    """Whether anything of an axis is given that is not its default."""
    return any(axis[of] for of in "ikod") or axis["s"] != 1 or axis["p"] >= 1


def _complete(axis: dict[str, int], name: str) -> None:
    """Deduce a missing output or padding."""
    for of in "ik":
        if not axis[of]:
            raise ShapeError(f"{of + name!r} is missing or 0, and other fields of its axis are not")
    if axis["s"] < 1:
        raise ShapeError(f"s{name}{axis['s']}: every stride must be positive")
    if not axis["o"]:
        axis["p"] = max(axis["p"], 0)
        reach = _reach(axis["k"], axis["d"])
        axis["o"] = (axis["i"] + 2 * axis["p"] - reach) // axis["s"] + 1
    elif axis["p"] < 0:
        unpadded = _after(axis["o"], axis["i"], axis["k"], axis["s"], 0, axis["d"])
        axis["p"] = int(unpadded / 2)  # towards zero, as in C
    if axis["o"] < 1:
        raise ShapeError(f"o{name}{axis['o']}: every extent must be positive")
    after = _after(axis["o"], axis["i"], axis["k"], axis["s"], axis["p"], axis["d"])
    if axis["p"] < 0 or after <= -axis["s"]:
        raise ShapeError(f"o{name}{axis['o']} leaves input of i{name}{axis['i']} unused, which is "
                         "not supported")


def _reach(kernel: int, dilation: int) -> int:
    return (kernel - 1) * (dilation + 1) + 1


def _after(o: int, i: int, k: int, s: int, p: int, d: int) -> int:
    """The padding after the last element that an output needs."""
    return (o - 1) * s + _reach(k, d) - i - p
