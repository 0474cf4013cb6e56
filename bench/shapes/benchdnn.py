"""Reads benchdnn's shape files, convolutions and matmuls.

    # comment
    mb1ic64ih56oc64oh56kh3ph1n"res2a:3x3*3"       g1 mb2 s1 d0 by default, `_` between fields
    128x784:784x512n"mnist:fc1"                    M x K : K x N

A missing width copies the height; a missing output or padding is deduced. `*count` at the end of a
name is how often the layer occurs. Dilation 0 is dense.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path

FIELDS = ("g", "mb", "ic", "ih", "iw", "oc", "oh", "ow", "kh", "kw", "sh", "sw", "ph", "pw", "dh",
          "dw")
_FIELD = re.compile(r"(g|mb|ic|ih|iw|oc|oh|ow|kh|kw|sh|sw|ph|pw|dh|dw)(\d+)")
_NAME = re.compile(r'n"([^"]*)"$')
_COUNT = re.compile(r"\*(\d+)$")
_GEMM = re.compile(r"(\d+)x(\d+):(\d+)x(\d+)$")


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
        bottom = (self.oh - 1) * self.sh + (self.kh - 1) * (self.dh + 1) + 1 - self.ih - self.ph
        right = (self.ow - 1) * self.sw + (self.kw - 1) * (self.dw + 1) + 1 - self.iw - self.pw
        return self.ph, max(bottom, 0), self.pw, max(right, 0)

    def batch(self, mb: int) -> Conv:
        return replace(self, mb=mb)

    def __str__(self) -> str:
        text = f"{self.ic}x{self.ih}x{self.iw} -> {self.oc}, {self.kh}x{self.kw}"
        if (self.sh, self.sw) != (1, 1):
            text += f" /{self.sh}"
        return text + f" g{self.g}" * (self.g > 1)


def read_shapes(path: str | Path) -> list[Conv | Gemm]:
    """All shapes of a file.

    Raises
    ------
    ShapeError
        A line is not a shape, or the file holds none.
    OSError
        The file cannot be read.
    """
    found = []
    for number, line in enumerate(Path(path).read_text().splitlines(), 1):
        text = line.split("#")[0].strip()
        if text:
            try:
                found.append(parse_shape(text))
            except ShapeError as error:
                raise ShapeError(f"{path}, line {number}: {error}") from None
    if not found:
        raise ShapeError(f"{path} holds no shape")
    return found


def parse_shape(text: str) -> Conv | Gemm:
    """One shape."""
    name, count = "", 1
    named = _NAME.search(text)
    if named:
        name, text = named.group(1), text[: named.start()].rstrip("_ ")
        counted = _COUNT.search(name)
        if counted:
            name, count = name[: counted.start()], int(counted.group(1))
    gemm = _GEMM.match(text)
    if gemm:
        m, k, rows, n = map(int, gemm.groups())
        if k != rows:
            raise ShapeError(f"{text!r}: A has {k} columns, B {rows} rows")
        return Gemm(m, n, k, name, count)
    return _convolution(_fields(text), name, count)


def _fields(text: str) -> dict[str, int]:
    fields: dict[str, int] = {}
    rest = text.lstrip("_")
    while rest:
        token = _FIELD.match(rest)
        if not token:
            raise ShapeError(f"cannot read {rest!r}; expected one of {', '.join(FIELDS)} and a "
                             'number, n"name", or MxK:KxN')
        if token.group(1) in fields:
            raise ShapeError(f"{token.group(1)!r} is given twice")
        fields[token.group(1)] = int(token.group(2))
        rest = rest[token.end():].lstrip("_")
    return fields


def _convolution(fields: dict[str, int], name: str, count: int) -> Conv:
    for side in "ioksdp":
        if f"{side}h" in fields:
            fields.setdefault(f"{side}w", fields[f"{side}h"])
    for field, default in (("g", 1), ("mb", 2), ("sh", 1), ("sw", 1), ("dh", 0), ("dw", 0)):
        fields.setdefault(field, default)
    for field in ("ic", "ih", "iw", "oc", "kh", "kw"):
        if field not in fields:
            raise ShapeError(f"{field!r} is missing")
    for axis in "hw":
        _deduce(fields, axis)
    if any(fields[f] < 1 for f in FIELDS if f[0] not in "pd"):
        raise ShapeError("every extent must be positive")
    if fields["ic"] % fields["g"] or fields["oc"] % fields["g"]:
        raise ShapeError(f"g{fields['g']} divides not both ic{fields['ic']} and oc{fields['oc']}")
    return Conv(**fields, name=name, count=count)


def _deduce(fields: dict[str, int], axis: str) -> None:
    """benchdnn's rules for a missing output or padding."""
    i, k, s, d = (fields[f"{c}{axis}"] for c in "iksd")
    reach = (k - 1) * (d + 1) + 1
    if f"o{axis}" not in fields:
        fields.setdefault(f"p{axis}", 0)
        fields[f"o{axis}"] = (i + 2 * fields[f"p{axis}"] - reach) // max(s, 1) + 1
    elif f"p{axis}" not in fields:
        fields[f"p{axis}"] = max(0, ((fields[f"o{axis}"] - 1) * s - i + reach) // 2)
