"""Numbers of an ONNX model in files beside it: read where they are what the model says, else refused."""

from __future__ import annotations

import os
import tracemalloc

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from examples.refusals import refused
from examples.weight_files import LARGE
from wdccheck.errors import InvalidInput
from wdccheck.weights.files import read_network

W1, W2 = np.arange(12.0, dtype="f4").reshape(4, 3) - 5, np.arange(24.0, dtype="f4").reshape(6, 4) - 9


def model():
    nodes = [helper.make_node("Gemm", ["x", "w1"], ["a"], transB=1), helper.make_node("Relu", ["a"], ["b"]),
             helper.make_node("Gemm", ["b", "w2"], ["c"], transB=1), helper.make_node("Relu", ["c"], ["y"])]
    graph = helper.make_graph(
        nodes, "g", [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 6])],
        [numpy_helper.from_array(W1, "w1"), numpy_helper.from_array(W2, "w2")])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def saved(folder, location="net.onnx.data", one=True):
    """As torch.onnx.export leaves it."""
    path = folder / "net.onnx"
    folder.mkdir(exist_ok=True)
    onnx.save_model(model(), path, save_as_external_data=True, all_tensors_to_one_file=one, location=location,
                    size_threshold=0)
    return path


def changed(path, **values):
    """The model with other words about its first array; None leaves one out."""
    made = onnx.load(path, load_external_data=False)
    entries = {one.key: one.value for one in made.graph.initializer[0].external_data}
    del made.graph.initializer[0].external_data[:]
    for key, value in {**entries, **values}.items():
        if value is not None:
            made.graph.initializer[0].external_data.add(key=key, value=value)
    path.write_bytes(made.SerializeToString())
    return lambda: read_network(path)


def test_numbers_beside_the_file_are_read(tmp_path, monkeypatch):
    for name, how in (("one", {}), ("many", {"location": None, "one": False})):
        path = saved(tmp_path / name, **how)
        net = read_network(path)
        np.testing.assert_array_equal(net.layers[0], W1)
        np.testing.assert_array_equal(net.layers[1], W2)
        assert "give what onnx gives" in net.origin.checked
    monkeypatch.chdir(tmp_path / "one")  # beside the file, wherever one stands
    assert read_network("net.onnx").dims == (3, 4, 6)
    monkeypatch.chdir(tmp_path)
    assert read_network("one/net.onnx").dims == (3, 4, 6)
    (tmp_path / "one" / "sub").mkdir()
    os.rename(tmp_path / "one" / "net.onnx.data", tmp_path / "one" / "sub" / "w.bin")
    path = tmp_path / "one" / "net.onnx"
    changed(path, location="sub/w.bin")
    made = onnx.load(path, load_external_data=False)
    made.graph.initializer[1].external_data[0].value = "./sub/w.bin"
    path.write_bytes(made.SerializeToString())
    assert read_network(path).dims == (3, 4, 6)


OUTSIDE = "external data in the folder of the file"


@pytest.mark.parametrize(("location", "fragment"), [
    ("../secret", OUTSIDE), ("sub/../../secret", OUTSIDE), ("/etc/passwd", OUTSIDE), ("//etc", OUTSIDE),
    ("C:\\secret", OUTSIDE), ("..\\secret", OUTSIDE), ("", OUTSIDE), (".", OUTSIDE), ("a\0b", OUTSIDE),
    ("\\\\host\\share", OUTSIDE), ("file:///etc/passwd", OUTSIDE), ("nowhere", "no such file"),
    ("link", "a link 'link'"), ("linked/secret", "a link 'linked/secret'"), ("sub", "a regular file"),
    ("pipe", "a regular file"), ("sub/" * 2000, ""), ("net.onnx", "a file of"),
])
def test_other_places_are_refused_unread(tmp_path, location, fragment):
    folder = tmp_path / "net"
    path = saved(folder)
    secret = np.ones(12, "f4").tobytes()
    (tmp_path / "secret").write_bytes(secret)
    (folder / "sub").mkdir()
    os.symlink(tmp_path / "secret", folder / "link")
    os.symlink(tmp_path, folder / "linked")
    os.mkfifo(folder / "pipe")
    offset = "1000000" if location == "net.onnx" else "0"
    refused(changed(path, location=location, offset=offset), str(path), "array 'w1'", fragment)


@pytest.mark.parametrize(("values", "fragment"), [
    ({"offset": "100000"}, "48 bytes from 100000 on in 'net.onnx.data'"), ({"offset": "-4"}, "a offset"),
    ({"offset": "1e3"}, "a number of bytes"), ({"offset": "9" * 18}, "found a file of"),
    ({"offset": "9" * 30}, "a number of bytes"), ({"length": "47"}, "48 bytes in 'net.onnx.data'"),
    ({"length": str(2**40)}, "a length of 1099511627776"), ({"length": "x"}, "a number of bytes"),
])
def test_sizes_that_are_not_so(tmp_path, values, fragment):
    refused(changed(saved(tmp_path), **values), "array 'w1'", fragment)


def test_a_length_may_be_left_out_and_claims_allocate_nothing(tmp_path):
    path = saved(tmp_path)
    assert changed(path, length=None)().dims == (3, 4, 6)
    made = onnx.load(path, load_external_data=False)
    for claim in (2**26, 2**40):
        made.graph.initializer[0].dims[0] = claim
        path.write_bytes(made.SerializeToString())
        tracemalloc.start()
        try:
            refused(lambda: read_network(path), "array 'w1'")
            assert tracemalloc.get_traced_memory()[1] < LARGE
        finally:
            tracemalloc.stop()


def test_data_that_is_missing_or_short(tmp_path):
    path = saved(tmp_path)
    data = (tmp_path / "net.onnx.data").read_bytes()
    (tmp_path / "net.onnx.data").write_bytes(data[:20])
    refused(lambda: read_network(path), "cut short, or of another model: export both again",
            "a file of 20 bytes")
    (tmp_path / "net.onnx.data").unlink()
    refused(lambda: read_network(path), "'net.onnx.data' beside net.onnx (copy it there, or export with "
            "external_data=False)", "no such file")


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_damaged_models_read_nothing_but_their_data(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("net")
    path = saved(folder)
    damaged = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(damaged) - 1))
        damaged[at:at + data.draw(st.integers(0, 2))] = data.draw(st.binary(max_size=3))
    path.write_bytes(bytes(damaged))
    tracemalloc.start()
    try:
        net = read_network(path, lift_bias=True, fold_batchnorm=True, last_activation="ignore")
        assert all(np.isfinite(W).all() for W in net.layers)
    except InvalidInput as error:
        assert str(path) in str(error) and "\n" not in str(error)
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < LARGE
