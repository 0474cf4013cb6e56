"""PyTorch, whose convolutions are oneDNN's: NCHW, channels_last, and frozen for inference."""

from __future__ import annotations

import warnings

import torch
from torch.nn.functional import conv2d, pad

from ..cases import Case, conv_operands, gemm_operands
from .contender import Contender, Prepared


class Torch(Contender):
    def __init__(self, threads: int, form: str) -> None:
        torch.set_num_threads(threads)
        torch.set_grad_enabled(False)
        self.form = form

    def gemm(self, case: Case) -> Prepared | None:
        if self.form != "channels_last":  # the forms differ in convolutions only
            return None
        a, b = map(torch.from_numpy, gemm_operands(case.shape))
        out = torch.empty(a.shape[0], b.shape[1])
        return Prepared(lambda: torch.mm(a, b, out=out), lambda y: y.numpy())

    def conv(self, case: Case) -> Prepared | None:
        shape = case.shape
        src, weights = map(torch.from_numpy, conv_operands(shape))
        top, bottom, left, right = shape.padding
        if (top, left) == (bottom, right) or shape.sh > 1:
            padding = (top, left)  # the end that a stride never reaches needs none
        else:
            src, padding = pad(src, (left, right, top, bottom)), (0, 0)
        options = ((shape.sh, shape.sw), padding, (shape.dh + 1, shape.dw + 1), shape.g)
        if self.form != "contiguous":
            src = src.to(memory_format=torch.channels_last)
            weights = weights.to(memory_format=torch.channels_last)
        if self.form == "prepacked":
            run = _frozen(src, weights, options)
            return Prepared(lambda: run(src), lambda y: y.numpy())
        return Prepared(lambda: conv2d(src, weights, None, *options), lambda y: y.numpy())


def _frozen(src: torch.Tensor, weights: torch.Tensor, options: tuple) -> torch.jit.ScriptModule:
    """The layer as a module whose weights oneDNN has reordered beforehand."""
    stride, padding, dilation, groups = options
    layer = torch.nn.Conv2d(src.shape[1], weights.shape[0], tuple(weights.shape[2:]), stride,
                            padding, dilation, groups, bias=False).eval()
    layer.weight.data = weights
    with warnings.catch_warnings():  # of torch.jit's retirement, for each layer
        warnings.simplefilter("ignore")
        frozen = torch.jit.optimize_for_inference(torch.jit.freeze(torch.jit.trace(layer, src)))
    for _ in range(3):  # the first runs still profile
        frozen(src)
    return frozen
