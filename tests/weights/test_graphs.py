"""Models with a graph, ONNX and Keras: what is a chain is followed, what is none is named."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import h5py
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from examples.refusals import refused
from wdccheck.weights.files import read_network

DATA = Path(__file__).parents[1] / "data" / "weights"
W1, W2 = np.arange(6.0, dtype="f4").reshape(3, 2) - 2, np.arange(12.0, dtype="f4").reshape(4, 3) - 5
B1 = np.array([1, -2, 0.5], "f4")


def onnx_file(folder, nodes, constants, outputs=("y",), inputs=("x",), shape=None):
    def value(name):
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape if name == "x" else None)

    tensors = [one if isinstance(one, TensorProto) else numpy_helper.from_array(one, name)
               for name, one in constants.items()]
    graph = helper.make_graph(nodes, "g", list(map(value, inputs)), list(map(value, outputs)), tensors)
    path = folder / "net.onnx"
    path.write_bytes(helper.make_model(graph).SerializeToString())
    return path


def node(kind, inputs, output, **attributes):
    return helper.make_node(kind, inputs.split(), output.split(), f"the {kind}", **attributes)


def test_matmul_add_constants_and_neutral_nodes(tmp_path):
    nodes = [
        node("Flatten", "x", "x0"), node("MatMul", "x0 A", "a"), node("Add", "b a", "b1"),
        node("Relu", "b1", "r"), node("Identity", "r", "r1"), node("Dropout", "r1", "r2"),
        node("Constant", "", "C", value=numpy_helper.from_array(W2.T.copy())),
        node("Transpose", "C", "Ct", perm=[1, 0]), node("Identity", "Ct", "Ct1"),
        node("Gemm", "r2 Ct1", "c", transB=1), node("Relu", "c", "d"), node("Reshape", "d shape", "y")]
    path = onnx_file(tmp_path, nodes, {"A": W1.T.copy(), "b": B1[None], "shape": np.array([-1, 2, 2])})
    net = read_network(path, lift_bias=True)
    np.testing.assert_array_equal(net.layers[0], [*np.column_stack([W1, B1]), [0, 0, 1]])
    np.testing.assert_array_equal(net.layers[1], np.column_stack([W2, np.zeros(4)]))
    assert net.origin.layers == ("MatMul 'the MatMul' 4 x 3", "Gemm 'the Gemm' 4 x 4")


@pytest.mark.parametrize("kind", ["FLOAT", "DOUBLE", "FLOAT16", "BFLOAT16", "INT32", "INT64", "INT8"])
@pytest.mark.parametrize("raw", [True, False])
def test_numbers_of_every_kind(tmp_path, kind, raw):
    reference = numpy_helper.from_array(W1) if kind == "FLOAT" and raw else None
    if reference is None:
        code = getattr(TensorProto, kind)
        values = W1.astype(helper.tensor_dtype_to_np_dtype(code))
        reference = (helper.make_tensor("A", code, W1.shape, values.tobytes(), raw=True) if raw
                     else helper.make_tensor("A", code, W1.shape, values.ravel()))
    reference.name = "A"
    path = onnx_file(tmp_path, [node("Gemm", "x A", "a", transB=1), node("Relu", "a", "y")], {"A": reference})
    np.testing.assert_array_equal(read_network(path).layers[0], W1)


A = {"A": W1.T.copy(), "S": np.eye(2, dtype="f4"), "b": B1}
SHORT = helper.make_tensor("A", TensorProto.FLOAT, (2, 3), W1.tobytes(), raw=True)
SHORT.dims[0] = 2**40
FEW = helper.make_tensor("A", TensorProto.FLOAT, (2, 3), W1.ravel())
FEW.dims[0] = 1


SKIP = "a sum that is no bias, as of a skip connection"
GEMM = [node("Gemm", "x A", "a"), node("Relu", "a", "y")]


@pytest.mark.parametrize(("nodes", "constants", "fragments"), [
    ([node("MatMul", "x S", "a"), node("Relu", "a", "r"), node("Add", "r x", "y")], A,
     ["Add 'the Add'", SKIP, "; take a part with --to 'r' (2-2)"]),
    ([node("Einsum", "x S", "y", equation="bi,ij->ij")], A, ["'Einsum' other than with a matrix"]),
    ([node("MatMul", "x S", "a"), node("Relu", "a", "r"), node("MatMul", "r S", "c"), node("Add", "r c", "s"),
      node("MatMul", "s A", "t"), node("Relu", "t", "y")], A,
     [SKIP, "take a part with --from 's' (2-3) or --to 'r' (2-2) or --to 'c' --last-activation ignore"]),
    ([node("MatMul", "x S", "a"), node("Relu", "a", "r"), node("Add", "r b", "y")], A,
     ["constants of shape (3,) for a value of shape (1, 2)"]),
    ([node("MatMul", "x S", "a"), node("Relu", "z", "y")], A, ["a way from 'x' to 'y' required, found none"]),
    ([node("Conv", "x S", "y")], A, ["Conv 'the Conv'", "a convolution", "wc.ReLUNetwork([W1, ...]) takes"]),
    ([node("MaxPool", "x", "y")], A, ["pooling"]),
    ([node("LSTM", "x S S", "y")], A, ["a recurrent layer"]),
    ([node("Frobnicate", "x", "y")], A, ["the operator 'Frobnicate'"]),
    ([node("MatMul", "x S", "a"), node("Tanh", "a", "t"), node("MatMul", "t S", "c"), node("Relu", "c", "y")],
     A, ["Tanh 'the Tanh'", "found tanh; take a part with --from 't' (2-2) or --to 'a' --last-activation"]),
    ([node("MatMul", "x S", "a"), node("Sigmoid", "a", "s"), node("Mul", "a s", "t"),
      node("MatMul", "t S", "c"), node("Relu", "c", "y")],
     A, ["Mul 'the Mul'", "found mul of several activations"]),
    ([node("MatMul", "x S", "a"), node("MatMul", "x S", "b1"), node("MatMul", "a b1", "y")], A,
     ["a product of two values that depend on the input"]),
    ([node("Gemm", "x A S", "a"), node("Relu", "a", "y")], A, ["constants of shape (2, 2) for a value of"]),
    ([node("Gemm", "x b", "a"), node("Relu", "a", "y")], A, ["a matrix of shape (3,)"]),
    ([node("Gemm", "x Z", "a"), node("Relu", "a", "y")], A, ["'Z', another input or a value that nothing"]),
    (GEMM, {"A": SHORT}, ["array 'A'", "arrays of at most"]),
    (GEMM, {"A": FEW}, ["3 entries for shape (1, 3)", "found 6"]),
    (GEMM, {"A": np.array([["a"]], object)}, ["type 8"]),
    (GEMM, {"A": W1 * np.nan}, ["Gemm", "finite"]),
    ([*GEMM[:1], node("Relu", "a", "r"), node("Reshape", "r s", "y")], {**A, "s": np.array([-1, 2])},
     ["the shape [1, 2] for a value of shape [1, 3]", "--to 'r' (2-3)"]),
    ([*GEMM[:1], node("BatchNormalization", "a b b b b", "y", training_mode=1)], A,
     ["training mode (export after model.eval())", "--to 'a' --last-activation ignore (2-3)"]),
    ([*GEMM[:1], node("Dropout", "a r t", "y")], {**A, "r": np.array(0.5, "f4"), "t": np.array(True)},
     ["dropout in training mode"]),
    ([node("Cast", "x", "i", to=7), node("Gemm", "i A", "a"), node("Relu", "a", "y")], A,
     ["a rounding to integers", "--from 'i' (2-3)"]),
])
def test_graphs_that_are_no_chain(tmp_path, nodes, constants, fragments):
    path = onnx_file(tmp_path, nodes, constants)
    refused(lambda: read_network(path), str(path), *fragments)


def test_a_matrix_that_acts_on_every_position_of_the_input(tmp_path):
    nodes = [node("MatMul", "x A", "a"), node("Relu", "a", "y")]
    path = onnx_file(tmp_path, nodes, A, shape=(1, 7, 2))
    refused(lambda: read_network(path), "MatMul 'the MatMul'", "acts on every position of a value of shape")
    nodes = [node("Flatten", "x", "f"), node("MatMul", "f A", "a"), node("Relu", "a", "y")]
    assert read_network(onnx_file(tmp_path, nodes, A, shape=(1, 2, 1))).dims == (2, 3)
    assert read_network(onnx_file(tmp_path, nodes, A, shape=("N", 2))).dims == (2, 3)


def test_names_with_line_breaks_are_shown_on_one_line(tmp_path):
    path = onnx_file(tmp_path, [node("Gemm\nx", "x A", "y")], A)
    refused(lambda: read_network(path), "'Gemm\\nx' 'the Gemm\\nx'")


def test_two_inputs_and_sparse_initializers(tmp_path):
    gemm = [node("Gemm", "x A", "a"), node("Relu", "a", "y")]
    path = onnx_file(tmp_path, gemm, A, inputs=("x", "z"))
    refused(lambda: read_network(path), "one input and one output of the graph, or --from and --to",
            "found 2 and 1: 'x', 'z' and 'y'; take a part with --from 'x' (2-3)")
    model = onnx.load(onnx_file(tmp_path, gemm, A))
    model.graph.sparse_initializer.add()
    path.write_bytes(model.SerializeToString())
    refused(lambda: read_network(path), "sparse")
    model = onnx.load(onnx_file(tmp_path, gemm, A))
    model.graph.initializer.append(model.graph.initializer[0])
    path.write_bytes(model.SerializeToString())
    refused(lambda: read_network(path), "array 'A'", "found two")


# ---- Keras


def keras_file(folder, change, name="graph.keras"):
    """The real file with its configuration changed."""
    out = folder / name
    with zipfile.ZipFile(DATA / name) as old, zipfile.ZipFile(out, "w") as new:
        for member in old.namelist():
            data = old.read(member)
            if member == "config.json":
                config = json.loads(data)
                change(config["config"]["layers"])
                data = json.dumps(config).encode()
            new.writestr(member, data)
    return out


def set_(layer, **values):
    def change(layers):
        layers[layer].update({key: value for key, value in values.items() if key != "config"})
        layers[layer]["config"].update(values.get("config", {}))

    return change


def skip(layers):
    layers[2]["inbound_nodes"][0]["args"].append(layers[1]["inbound_nodes"][0]["args"][0])


def branch(layers):
    layers[2]["inbound_nodes"] = layers[1]["inbound_nodes"]


@pytest.mark.parametrize(("change", "fragments"), [
    (skip, ["layer 'dense_5'", "without skip connections", "2: 'dense_4', 'input_layer_2'"]),
    (branch, ["without branches", "it leads to"]),
    (set_(1, class_name="Conv2D"), ["Conv2D 'dense_4'", "a convolution"]),
    (set_(1, class_name="MaxPooling1D"), ["pooling"]),
    (set_(1, class_name="LSTM"), ["the theory does not cover"]),
    (set_(1, registered_name="mine>Dense"), ["a custom one"]),
    (set_(1, module="mine"), ["a custom one"]),
    (set_(1, config={"activation": "gelu"}), ["a ReLU after Dense 'dense_4' required, found gelu"]),
    (set_(2, config={"activation": {"class_name": "function", "config": "f"}}),
     ["'function'", "after the last"]),
    (set_(1, config={"use_bias": True}), ["the arrays kernel, bias", "1 arrays"]),
    (set_(1, config={"lora_rank": 4}), ["LoRA"]),
    (set_(0, config={"batch_shape": [None, 7, 2]}), ["an input of shape [None, 7, 2]"]),
    (set_(1, config={"name": "dense_5"}), ["every layer name once"]),
    (set_(3, class_name="ReLU", config={"max_value": 6.0}), ["ReLU with {'max_value': 6.0}"]),
    (set_(3, class_name="ReLU", config={"max_value": 0.0}), ["ReLU with {'max_value': 0.0}"]),
    (lambda layers: layers.clear(), ["one path"]),
    (lambda layers: layers[1].pop("config"), ["the configuration of a Keras model", "one that lacks parts"]),
])
def test_keras_models_that_are_no_chain(tmp_path, change, fragments):
    path = keras_file(tmp_path, change)
    refused(lambda: read_network(path), str(path), *fragments)


def test_keras_arrays_that_lie_elsewhere(tmp_path):
    def replaced(make):
        data = io.BytesIO((DATA / "plain.h5").read_bytes())
        with h5py.File(data, "r+") as file:
            path = next(str(name) for name in file["model_weights/dense"].attrs["weight_names"])
            group = file["model_weights/dense"]
            del group[path]
            make(group, path)
        (tmp_path / "net.h5").write_bytes(data.getvalue())
        return lambda: read_network(tmp_path / "net.h5")

    def shaped(shape, dtype="f4", **options):
        return replaced(lambda group, path: group.create_dataset(path, shape, dtype, **options))

    outside = [("/etc/passwd", 0, 32)]
    for link in (h5py.ExternalLink("/etc/passwd", "/"), h5py.SoftLink("/nowhere")):
        refused(replaced(lambda group, path, link=link: group.__setitem__(path, link)), "none")
    refused(shaped((2, 4), external=outside), "Dense 'dense', kernel", "external data")
    refused(shaped((2**16, 2**16)), "too large")
    refused(shaped((2**16, 2**16), chunks=(2**15, 2**15)), "chunks of shape")
    refused(shaped((2, 4), "S4"), "dtype |S4")
    refused(shaped((2, 4), compression="lzf"), "compression by the filters [32000]")
    assert not shaped((2, 4), chunks=(2, 4), compression="gzip", shuffle=True)().layers[0].any()
    assert not shaped((2, 4), ">f8")().layers[0].any()
    refused(shaped((2, 4, 1)), "a kernel of shape (n_in, n_out)")


def test_an_older_keras_without_names_of_groups(tmp_path):
    data = io.BytesIO()
    with zipfile.ZipFile(DATA / "plain.keras") as old:
        data.write(old.read("model.weights.h5"))
        with h5py.File(data, "r+") as file:
            for group in file["layers"].values():
                del group["vars"].attrs["name"]
        with zipfile.ZipFile(tmp_path / "old.keras", "w") as new:
            new.writestr("config.json", old.read("config.json"))
            new.writestr("model.weights.h5", data.getvalue())
    assert read_network(tmp_path / "old.keras").sha256 == read_network(DATA / "plain.keras").sha256


def test_modules_beside_the_weights_are_not_imported(tmp_path, monkeypatch):
    for name in ("h5py", "enum", "json", "numpy", "re"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('imported from the folder of the weights')")
    (tmp_path / "net.h5").write_bytes((DATA / "plain.h5").read_bytes())
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert read_network("net.h5").dims == (2, 4, 3)
