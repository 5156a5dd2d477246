"""ONNX models as lines of text, and what onnx's own evaluator makes of them."""

from __future__ import annotations

import numpy as np
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from wdccheck.weights.files import read_network

__all__ = ["B1", "B2", "FIRST", "RNG", "SECOND", "W1", "W2", "agrees", "f4", "ints", "model", "put_model"]

RNG = np.random.default_rng(5)
W1, W2, W3 = (RNG.standard_normal(shape).astype("f4") for shape in ((6, 3), (8, 6), (5, 8)))
B1, B2 = RNG.standard_normal(6).astype("f4"), RNG.standard_normal(8).astype("f4")
WEIGHTS = {"W1": W1, "W2": W2, "b1": B1, "b2": B2, "W1t": W1.T.copy(), "W2t": W2.T.copy()}


def ints(*values):
    return np.array(values, np.int64)


def f4(*values):
    return np.array(values if len(values) > 1 else values[0], "f4")


def written(text):
    """Nodes like "a = Gemm(x, W1, b1; transB=1)", each in a line."""
    nodes = []
    for line in filter(None, map(str.strip, text.splitlines())):
        outputs, call = line.split(" = ")
        kind, inside = call.rstrip(")").split("(", 1)
        inputs, _, given = inside.partition(";")
        attributes = eval(f"dict({given})")
        nodes.append(
            helper.make_node(
                kind,
                [one.strip() for one in inputs.split(",")],
                [one.strip() for one in outputs.split(",")],
                **attributes,
            )
        )
    return nodes


def model(text, shape=("N", 3), constants=None, opset=17, kind=TensorProto.FLOAT, outputs=("y",)):
    used = {**WEIGHTS, **(constants or {})}
    nodes = written(text)
    names = {name for node in nodes for name in node.input}
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", kind, shape)],
        [helper.make_tensor_value_info(name, kind, None) for name in outputs],
        [numpy_helper.from_array(np.asarray(one), name) for name, one in used.items() if name in names],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def agrees(tmp_path, made, shape, width=3, **options):
    """The network read, if it gives what onnx does with a ReLU at the end."""
    path = tmp_path / "net.onnx"
    path.write_bytes(made.SerializeToString())
    net = read_network(path, lift_bias=True, fold_batchnorm=True, **options)
    run = ReferenceEvaluator(made).run
    kind = "f8" if made.graph.input[0].type.tensor_type.elem_type == TensorProto.DOUBLE else "f4"
    biased = net.dims[0] == width + 1
    for x in RNG.standard_normal((5, width)).astype(kind):
        wanted = np.maximum(np.ravel(run(None, {"x": np.reshape(x, shape)})[0]), 0)
        np.testing.assert_allclose(net([*x, 1.0] if biased else x), wanted, rtol=2e-5, atol=2e-5)
    assert "give what onnx gives" in net.origin.checked
    return net


FIRST = "a = Gemm(x, W1, b1; transB=1)\nr = Relu(a)\n"
SECOND = "c = Gemm(r, W2, b2; transB=1)\ny = Relu(c)"


def put_model(folder, made):
    """The file of a model."""
    path = folder / "net.onnx"
    path.write_bytes(made.SerializeToString())
    return path
