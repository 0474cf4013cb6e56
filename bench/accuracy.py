"""`python -m bench.accuracy`: rounding errors of every kernel that adds up, beside PyTorch's.

Results are compared with float64 (those of float64 with NumPy's long double), for K terms of
N(0, 1) and of positive values. An error is the root of the mean square over all outputs, relative
to the sum of the terms' magnitudes. Winograd convolutions are measured in their own way: the
largest error, relative to the largest output. Takes about a minute.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from math import isqrt
from pathlib import Path

import numpy as np
from rich.progress import Progress
from rich.table import Table as Grid

from kernels import Conv2d, Matmul, Pool2d, Softmax
from threadpool_iface import PrimitiveAttr

from .console import wide_console

K = (1, 16, 64, 256, 384, 512, 1024, 4096, 32768)
QUICK_K = (64, 512)
CHANNELS = (24, 64, 128, 256, 512, 1024, 2048)
QUICK_CHANNELS = (64,)

Array = np.ndarray
Draw = Callable[..., Array]


@dataclass(frozen=True)
class Result:
    """What a kernel and PyTorch computed, the exact result, and what errors are relative to."""

    ours: Array
    torch: Array
    exact: Array
    scale: Array


@dataclass(frozen=True)
class Errors:
    """Of one kernel, kind of values and number of terms (of channels, for Winograd)."""

    kernel: str
    values: str
    terms: int
    ours: float
    torch: float

    @property
    def ratio(self) -> float:
        """Ours to PyTorch's; two exact results are equally good."""
        return self.ours / self.torch if self.torch else 1.0 if not self.ours else float("inf")


# -- the kernels: each computes with K terms, or returns None if it has no problem of that size ----


def _matmul(m: int, n: int, dtype: str = "float32", transposed: bool = False) -> Callable:
    def run(draw: Draw, k: int) -> Result:
        import torch

        a, b = draw(m, k).astype(dtype), draw(k, n).astype(dtype)
        b = np.asfortranarray(b) if transposed else b
        wide = np.float64 if dtype == "float32" else np.longdouble
        ours = Matmul(a.shape, b.shape, dtype=dtype)(a, b)
        theirs = (torch.from_numpy(a) @ torch.from_numpy(b)).numpy()
        return Result(ours, theirs, a.astype(wide) @ b.astype(wide),
                      np.abs(a).astype(wide) @ np.abs(b).astype(wide))

    return run


def _convolve(
    src: Sequence[int], weights: Sequence[int], layout: str, algorithm: str, draw: Draw,
    groups: int = 1, padding: tuple[int, int] = (0, 0),
) -> Result:
    import torch
    from torch.nn.functional import conv2d

    x, w = (torch.from_numpy(draw(*shape)) for shape in (src, weights))
    given = x.permute(0, 2, 3, 1).contiguous() if layout == "nhwc" else x
    conv = Conv2d(tuple(given.shape), tuple(weights), layout=layout, groups=groups, padding=padding,
                  attr=PrimitiveAttr(algorithm=algorithm))
    ours = conv(given.numpy(), w.numpy())
    kind = torch.channels_last if layout == "nhwc" else torch.contiguous_format
    options = {"groups": groups, "padding": padding}
    theirs = conv2d(x.to(memory_format=kind), w, **options).numpy()
    exact = conv2d(x.double(), w.double(), **options).numpy()
    scale = conv2d(x.abs().double(), w.abs().double(), **options).numpy()
    return Result(ours if layout == "nchw" else ours.transpose(0, 3, 1, 2), theirs, exact, scale)


def _direct(
    kh: int, kw: int, size: int, oc: int, layout: str = "nhwc", groups: int = 1,
    padding: tuple[int, int] = (0, 0),
) -> Callable:
    def run(draw: Draw, k: int) -> Result | None:
        channels = k // (kh * kw)
        if channels == 0:
            return None
        return _convolve((1, channels * groups, size, size), (oc, channels, kh, kw), layout,
                         "direct", draw, groups, padding)

    return run


def _depthwise(draw: Draw, k: int) -> Result | None:
    side = isqrt(k)
    if side > 32:
        return None
    return _convolve((1, 64, side + 5, side + 5), (64, 1, side, side), "nhwc", "direct", draw, 64)


def _average(draw: Draw, k: int) -> Result:
    import torch
    from torch.nn.functional import avg_pool2d

    side = isqrt(k)
    x = draw(1, side, side, 512)
    ours = Pool2d(x.shape, side, mode="average", layout="nhwc")(x)
    planes = torch.from_numpy(x).permute(0, 3, 1, 2)
    theirs = avg_pool2d(planes, side).permute(0, 2, 3, 1).numpy()
    wide = x.astype(float)
    return Result(ours, theirs, wide.mean((1, 2), keepdims=True),
                  np.abs(wide).mean((1, 2), keepdims=True))


def _softmax(draw: Draw, k: int) -> Result:
    import torch

    x = draw(64, k)
    theirs = torch.softmax(torch.from_numpy(x), 1).numpy()
    exact = np.exp(x.astype(float) - x.max(1, keepdims=True))
    exact /= exact.sum(1, keepdims=True)
    return Result(Softmax(x.shape, axis=1)(x), theirs, exact, exact)


KERNELS: dict[str, Callable] = {
    "Matmul": _matmul(120, 120),
    "Matmul, float64": _matmul(20, 20, "float64"),
    "Matmul, 4 rows": _matmul(4, 3000),
    "Matmul, 1 row": _matmul(1, 3000),
    "Matmul, 1 row, B transposed": _matmul(1, 3000, transposed=True),
    "Matmul, 1 column": _matmul(3000, 1),
    "Matmul, 9 outputs": _matmul(3, 3),
    "Conv2d 1x1": _direct(1, 1, 14, 40),
    "Conv2d 1x1, NCHW": _direct(1, 1, 14, 40, "nchw"),
    "Conv2d 1x1, 1 output channel": _direct(1, 1, 50, 1),
    "Conv2d 3x3": _direct(3, 3, 14, 20),
    "Conv2d 3x3, NCHW": _direct(3, 3, 14, 20, "nchw"),
    "Conv2d 3x3, tap by tap": _direct(3, 3, 7, 80, padding=(1, 1)),
    "Conv2d 1x7": _direct(1, 7, 16, 30),
    "Conv2d 3x3, 4 groups": _direct(3, 3, 14, 20, groups=4),
    "Conv2d, depthwise": _depthwise,
    "Pool2d, average": _average,
    "Softmax": _softmax,
}
#: Kernel and output sizes for which "auto" is one of Winograd's algorithms.
WINOGRAD = {"F(4x4, 3x3)": (3, 3, 28), "F(2x2, 3x3)": (3, 3, 14), "F(4, 4), 1x7": (1, 7, 20)}


# -- measuring ------------------------------------------------------------------------------------


def _draws(seed: int) -> dict[str, Draw]:
    rng = np.random.default_rng(seed)
    return {
        "N(0, 1)": lambda *shape: rng.standard_normal(shape, dtype=np.float32),
        "positive": lambda *shape: rng.random(shape, dtype=np.float32),
    }


def _mean_square(kernel: str, values: str, terms: int, result: Result) -> Errors:
    ours, theirs = (float(np.sqrt(np.mean(((x - result.exact) / result.scale) ** 2)))
                    for x in (result.ours, result.torch))
    return Errors(kernel, values, terms, ours, theirs)


def sums(ks: Sequence[int]) -> Iterator[Errors | None]:
    """The errors of every kernel, kind of values and K; None where a kernel has no such K."""
    for kernel, run in KERNELS.items():
        for values, draw in _draws(0).items():
            for k in ks:
                result = run(draw, k)
                yield None if result is None else _mean_square(kernel, values, k, result)


def winograd(channels: Sequence[int]) -> Iterator[Errors]:
    """The largest errors of what "auto" computes with Winograd's algorithms."""
    for kernel, (kh, kw, size) in WINOGRAD.items():
        for values, draw in _draws(1).items():
            for ic in channels:
                r = _convolve((1, ic, size, size), (32, ic, kh, kw), "nhwc", "auto", draw,
                              padding=(kh // 2, kw // 2))
                ours, theirs = (float(np.abs(x - r.exact).max() / np.abs(r.exact).max())
                                for x in (r.ours, r.torch))
                yield Errors(kernel, values, ic, ours, theirs)


def grid(title: str, errors: Sequence[Errors], columns: Sequence[int]) -> Grid:
    table = Grid(title=title, title_justify="left")
    for heading in ("", "values", *(f"{c:,}" for c in columns)):
        justify = "right" if heading[:1].isdigit() else "left"
        table.add_column(heading, justify=justify, no_wrap=True)
    found = {(e.kernel, e.values, e.terms): e for e in errors}
    for kernel, values in dict.fromkeys((e.kernel, e.values) for e in errors):
        row = [found.get((kernel, values, column)) for column in columns]
        cells = [f"{e.ours:.1e} ({e.ratio:.1f})" if e else "" for e in row]
        table.add_row(kernel, values, *cells)
    return table


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.accuracy", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few sizes")
    parser.add_argument("--output", type=Path, default=Path("bench-results"), metavar="DIR",
                        help="folder for the JSON (default: %(default)s)")
    options = parser.parse_args(argv)
    try:
        import torch  # noqa: F401
    except ImportError:
        parser.exit(1, "python -m bench.accuracy compares with PyTorch: pip install '.[peers]'\n")
    ks, channels = (QUICK_K, QUICK_CHANNELS) if options.quick else (K, CHANNELS)
    console = wide_console(200)
    with Progress(console=console, transient=True) as progress:
        plain = list(progress.track(sums(ks), 2 * len(KERNELS) * len(ks), description="sums"))
        errors = [e for e in plain if e]
        largest = list(progress.track(winograd(channels), 2 * len(WINOGRAD) * len(channels),
                                      description="Winograd"))
    console.print(grid("Error for K terms (and relative to PyTorch's)", errors, ks))
    console.print(grid("Winograd, so many channels: largest error, relative to the largest output "
                       "(and to PyTorch's)", largest, channels))
    worst = max(errors, key=lambda e: e.ratio)
    console.print(f"Largest ratio of the first table: {worst.ratio:.2f} ({worst.kernel}, "
                  f"{worst.values}, {worst.terms:,} terms)")
    options.output.mkdir(parents=True, exist_ok=True)
    document = {"sums": [asdict(e) for e in errors], "winograd": [asdict(e) for e in largest]}
    (options.output / "accuracy.json").write_text(json.dumps(document, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
