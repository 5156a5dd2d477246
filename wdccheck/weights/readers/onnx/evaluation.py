"""What onnx's own reference evaluator makes of a part of a graph: a second opinion on how it was read."""

from __future__ import annotations

from typing import Any

import numpy as np

from wdccheck.errors import InvalidInput
from wdccheck.weights.readers.onnx.walk import Path, Walk
from wdccheck.weights.readers.source import shown

__all__ = ["evaluated"]

_LARGEST = 2**26  # bytes of a model; the evaluator copies it
_NODES = 1000
_HALF = 10  # numbers of 16 bits are evaluated with 32
_FLOATS: dict[int, type[np.floating[Any]]] = {1: np.float32, 11: np.float64}


def evaluated(model: Any, walk: Walk, path: Path, start: str, end: str, size: int, x: np.ndarray,
              inner: bool) -> np.ndarray:
    """The value `end` for values x of `start`, through the nodes of `path` alone.

    Parameters
    ----------
    model : onnx.ModelProto
    walk : Walk
        Which has read the constants.
    path : Path
    start, end : str
    size : int
        Bytes of the model.
    x : ndarray of shape (count, n_in)
    inner : bool
        Whether to end right after the last matrix.

    Raises
    ------
    InvalidInput
        The model is large, or its numbers are not of 32 or 64 bits.
    """
    from onnx import helper, numpy_helper
    from onnx.reference import ReferenceEvaluator

    if size > _LARGEST:
        raise InvalidInput("forward check", f"at most {_LARGEST} bytes", "a large model")
    if inner:
        end = path.name
    nodes = walk.between(start, end)
    if len(nodes) > _NODES:
        raise InvalidInput("forward check", f"at most {_NODES} nodes", "a large graph")
    used = {name for node in nodes for name in node.inputs if name in walk.constants.stored}
    arrays = {name: _single(walk.constants.get(name)) for name in sorted(used)}
    kinds = {array.dtype for array in arrays.values() if array is not None and array.dtype.kind == "f"}
    code = next((int(one.type.tensor_type.elem_type) for one in model.graph.input if one.name == start),
                1 if np.dtype("f4") in kinds else 11)
    code = 1 if code == _HALF else code
    if code not in _FLOATS or not kinds <= {np.dtype("f4"), np.dtype("f8")}:
        raise InvalidInput("forward check", "numbers of 32 or 64 bits", "others in the graph")
    if any(attribute.HasField("t") and attribute.t.data_location for node in nodes
           for attribute in node.proto.attribute):
        raise InvalidInput("forward check", "numbers of nodes in the file", f"others than for {shown(start)}")
    graph = helper.make_graph(
        [node.proto for node in nodes], "part", [helper.make_tensor_value_info(start, code, None)],
        [helper.make_tensor_value_info(end, 0, None)],
        [numpy_helper.from_array(array, name) for name, array in arrays.items() if array is not None])
    part = helper.make_model(graph, opset_imports=model.opset_import, ir_version=model.ir_version)
    run: Any = ReferenceEvaluator(part).run
    place = path.begin.order % path.begin.width
    last = path.matrix if inner else path.end
    first = last.order.ravel() < last.width  # of the first input of a batch
    return np.array([np.ravel(run(None, {start: row[place].astype(_FLOATS[code])})[0])[first] for row in x])


def _single(array: np.ndarray | None) -> np.ndarray | None:
    return array.astype(np.float32) if array is not None and array.dtype == np.float16 else array
