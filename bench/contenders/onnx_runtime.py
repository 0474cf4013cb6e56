"""ONNX Runtime: each case as a model of one node, its weights a constant."""

from __future__ import annotations

from functools import cache

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from ..cases import Case, conv_operands, gemm_operands
from .contender import Contender, Prepared


@cache
def _make_pool(threads: int) -> None:
    """One pool for all sessions of the process: the spinning threads of a pool for each layer of a
    chain would take the CPUs from the layer that runs. It can be made once only.
    """
    onnxruntime.set_global_thread_pool_sizes(threads, 1)


class OnnxRuntime(Contender):
    def __init__(self, threads: int) -> None:
        _make_pool(threads)
        self.options = onnxruntime.SessionOptions()
        self.options.use_per_session_threads = False
        self.options.log_severity_level = 3

    def _prepared(self, operator: str, x: np.ndarray, w: np.ndarray, **attributes) -> Prepared:
        node = helper.make_node(operator, ["x", "w"], ["y"], **attributes)
        graph = helper.make_graph(
            [node], operator, [helper.make_tensor_value_info("x", TensorProto.FLOAT, x.shape)],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, list("abcd"[: x.ndim]))],
            [numpy_helper.from_array(w, "w")])
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
        model.ir_version = 9
        onnx.checker.check_model(model)
        session = onnxruntime.InferenceSession(
            model.SerializeToString(), self.options, providers=["CPUExecutionProvider"])
        feed = {"x": x}
        return Prepared(lambda: session.run(None, feed), lambda y: y[0])

    def gemm(self, case: Case) -> Prepared | None:
        return self._prepared("MatMul", *gemm_operands(case.shape))

    def conv(self, case: Case) -> Prepared | None:
        shape = case.shape
        top, bottom, left, right = shape.padding
        return self._prepared(
            "Conv", *conv_operands(shape), kernel_shape=[shape.kh, shape.kw],
            strides=[shape.sh, shape.sw], pads=[top, left, bottom, right],
            dilations=[shape.dh + 1, shape.dw + 1], group=shape.g)
