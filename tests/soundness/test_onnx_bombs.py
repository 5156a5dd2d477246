"""Small ONNX models that ask for much memory or time: refused, or read, with little of both."""

from __future__ import annotations

import time
import tracemalloc

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from examples.weight_files import LARGE
from wdccheck.errors import InvalidInput
from wdccheck.weights.files import read_network

W = np.arange(9.0, dtype="f4").reshape(3, 3) - 4


def node(kind, inputs, outputs, **given):
    return helper.make_node(kind, inputs.split(), outputs.split(), **given)


def built(tmp_path, nodes, shape=(1, 3), **constants):
    arrays = {"W": W, **constants}
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(one, name) for name, one in arrays.items()],
    )
    path = tmp_path / "net.onnx"
    path.write_bytes(
        helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8
        ).SerializeToString()
    )
    return path


def ints(*values):
    return np.array(values, np.int64)


END = [node("MatMul", "x M", "a"), node("Relu", "a", "y")]
TWICE = [node("Concat", f"c{i} c{i}", f"c{i + 1}", axis=0) for i in range(40)]
CHAIN = [node("MatMul", "x W", "v0")]


def many(kind, count, **given):
    return [
        *CHAIN,
        *(node(kind, f"v{i}" + given.get("other", ""), f"v{i + 1}") for i in range(count)),
        node("Relu", f"v{count}", "y"),
    ]


BOMBS = {
    "expand": (
        [node("Expand", "one big", "M"), *END],
        {"one": np.ones((1, 1), "f4"), "big": ints(2**20, 2**20)},
    ),
    "constant of shape": ([node("ConstantOfShape", "big", "M"), *END], {"big": ints(2**20, 2**20)}),
    "range": (
        [node("Range", "z big one", "M"), *END],
        {"z": np.array(0), "big": np.array(2**40), "one": np.array(1)},
    ),
    "doubled": ([node("Identity", "W", "c0"), *TWICE, node("Identity", "c40", "M"), *END], {}),
    "gather": (
        [node("Gather", "row index", "M"), *END],
        {"row": np.ones((1, 2**12), "f4"), "index": np.zeros(2**12, "i8")},
    ),
    "outer product": (
        [node("MatMul", "col row", "M"), *END],
        {"col": np.ones((2**12, 1), "f4"), "row": np.ones((1, 2**12), "f4")},
    ),
    "broadcast": (
        [node("Add", "col row", "M"), *END],
        {"col": np.ones((2**12, 1), "f4"), "row": np.ones((1, 2**12), "f4")},
    ),
    "many of some size": (
        [
            *(node("ConstantOfShape", "big", f"m{i}") for i in range(500)),
            node("Sum", " ".join(f"m{i}" for i in range(500)), "M"),
            *END,
        ],
        {"big": ints(2**9, 2**9)},
    ),
    "expand of the value": (
        [*CHAIN, node("Expand", "v0 big", "e"), node("Relu", "e", "y")],
        {"big": ints(2**20, 2**20, 3)},
    ),
    "gather of the value": (
        [
            *CHAIN,
            node("Gather", "v0 index", "e", axis=1),
            node("Gather", "e index", "f", axis=1),
            node("Relu", "f", "y"),
        ],
        {"index": np.zeros(2**12, "i8")},
    ),
    "value joined with itself": (
        [
            *CHAIN,
            *(node("Concat", f"v{i} v{i}", f"v{i + 1}", axis=1) for i in range(40)),
            node("Relu", "v40", "y"),
        ],
        {},
    ),
    "scales": (many("Mul", 1000, other=" c"), {"c": np.array(1 / 3, "f4")}),
    "activations": (many("Tanh", 5000), {}),
    "nodes": (many("Identity", 66_000), {}),
    "identities": (many("Identity", 5_000), {}),
}


def looked_at(path):
    tracemalloc.start()
    begin = time.process_time()
    try:
        read_network(path, last_activation="ignore")
    except InvalidInput as error:
        assert "\n" not in str(error) and len(str(error)) < 900
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    return peak, time.process_time() - begin


@pytest.mark.parametrize("name", BOMBS)
def test_bombs(tmp_path, name):
    nodes, constants = BOMBS[name]
    path = built(tmp_path, nodes, **constants)
    peak, seconds = looked_at(path)
    assert peak < 2 * LARGE + 40 * path.stat().st_size and seconds < 20


@pytest.mark.parametrize(
    "shape", [(2**19, 3), (2**40, 3), (1, 2**40), (3, 2**30), (2**18, 1), (1, 3, 2**25), (0, 0)]
)
def test_absurd_shapes_of_the_input(tmp_path, shape):
    for nodes in (
        [node("MatMul", "x W", "a"), node("Relu", "a", "y")],
        [node("MatMul", "W x", "a"), node("Relu", "a", "y")],
        [node("Transpose", "x", "t"), node("MatMul", "t w", "a"), node("Relu", "a", "y")],
    ):
        peak, seconds = looked_at(built(tmp_path, nodes, shape, w=np.ones((1, 500), "f4")))
        assert peak < 4 * LARGE and seconds < 10
