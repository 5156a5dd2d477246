"""What onnx's own reference evaluator makes of a part of a graph: a second opinion on how it was read."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from wdccheck.errors import InvalidInput

__all__ = ["evaluated"]

_LARGEST = 2**26  # bytes of a model; the evaluator copies it
_INTEGERS = {6, 7}  # of shapes
_FLOATS: dict[int, type[np.floating[Any]]] = {1: np.float32, 11: np.float64}


def evaluated(model: Any, path: Sequence[Any], start: str, end: str, shape: Sequence[int], size: int,
              x: np.ndarray) -> np.ndarray:
    """The value `end` for values x of `start`, shape (count, n_in), through the nodes of `path` alone.

    Parameters
    ----------
    model : onnx.ModelProto
    path : sequence of onnx.NodeProto
        The nodes from `start` to `end`; constants are taken from the model.
    start, end : str
    shape : sequence of int
        The axes of `start`, as the model has them; 0 where it does not say.
    size : int
        Bytes of the model.
    x : ndarray of shape (count, n_in)

    Raises
    ------
    InvalidInput
        The model is large, or its numbers are not of 32 or 64 bits.
    """
    from onnx import helper
    from onnx.reference import ReferenceEvaluator

    if size > _LARGEST:
        raise InvalidInput("forward check", f"at most {_LARGEST} bytes", "a large model")
    tensors = [*model.graph.initializer, *(
        attribute.t for node in model.graph.node if node.op_type == "Constant"
        for attribute in node.attribute if attribute.HasField("t"))]
    stored = {int(tensor.data_type) for tensor in tensors} - _INTEGERS
    if len(stored) != 1 or not stored <= _FLOATS.keys():
        raise InvalidInput("forward check", "numbers of one kind, of 32 or 64 bits", "others in the graph")
    (code,) = stored
    constants = [node for node in model.graph.node if node.op_type == "Constant"
                 or (node.op_type in ("Identity", "Transpose") and not any(node is one for one in path))]
    known = {one.name for one in model.graph.initializer}
    placed = []
    for node in constants:  # in the order of evaluation
        if set(node.input) <= known:
            placed.append(node)
            known |= set(node.output)
    graph = helper.make_graph(
        [*placed, *path], "part", [helper.make_tensor_value_info(start, code, None)],
        [helper.make_tensor_value_info(end, code, None)], list(model.graph.initializer))
    part = helper.make_model(graph, opset_imports=model.opset_import, ir_version=model.ir_version)
    run: Any = ReferenceEvaluator(part).run
    axes = [1, *shape[1:]] if len(shape) > 2 else [1, x.shape[1]] if len(shape) != 1 else [x.shape[1]]
    if math.prod(axes) != x.shape[1]:
        raise InvalidInput("forward check", "an input of known shape", "an input of unknown shape")
    feeds: list[dict[str, Any]] = [{start: row.astype(_FLOATS[code]).reshape(axes)} for row in x]
    return np.array([np.ravel(run(None, feed)[0]) for feed in feeds])
