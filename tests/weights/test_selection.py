"""Which arrays of a file are the network: by name, by key, between values of a graph, transposed."""

from __future__ import annotations

import json
import shlex
import struct

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import wdccheck as wc
from examples.commands import QUICK
from examples.refusals import refused
from examples.weight_files import DATA, put, state, torch_bytes
from wdccheck.cli.main import main
from wdccheck.weights.files import read_layer, read_matrix
from wdccheck.weights.readers.onnx import graph as onnx_graph

AE = state("encoder.0 32 64", "encoder.2 6 32", "decoder.0 32 3", "decoder.2 64 32")
FC = state("fc1 32 64", "fc21 3 32", "fc22 3 32", "fc3 32 3", "fc4 64 32")


@pytest.fixture
def ae(tmp_path):
    return put(tmp_path, "ae.pt", torch_bytes(AE))


def layers_of(net):
    return [name.split("'")[1] for name in net.origin.layers]


@pytest.mark.parametrize(("arrays", "wanted"), [
    ("decoder.*", ["decoder.0", "decoder.2"]), ("decoder.[02].weight", ["decoder.0", "decoder.2"]),
    ("decoder.0.weight,decoder.2.weight", ["decoder.0", "decoder.2"]),
    (["decoder.0*", "decoder.2*"], ["decoder.0", "decoder.2"]),
    ("encoder.*", ["encoder.0", "encoder.2"]),
    ("decoder.2.weight, encoder.0.weight", ["decoder.2", "encoder.0"]),
])
def test_names_and_patterns_choose_in_the_order_given(ae, arrays, wanted):
    net = wc.read_network(ae, arrays=arrays, ignore_bias=True)
    assert layers_of(net) == [f"{name}.weight" for name in wanted]
    assert "order given by --arrays" in net.origin.ordered_by and "a ReLU after each" in net.origin.ordered_by
    assert len(net.origin.unused) == 4 and not any(name in str(net.origin.unused) for name in wanted)


@pytest.mark.parametrize(("given", "fragments"), [
    ({"arrays": "decodr.*"}, ["--arrays 'decodr.*'", "none such; there are 'encoder.0.weight'"]),
    ({"arrays": "decoder.0.weight,decoder.0.weight"}, ["every array once"]),
    ({"arrays": ""}, ["names or patterns"]), ({"arrays": []}, ["names or patterns"]),
    ({"arrays": 3}, ["names or"]), ({"arrays": ","}, ["names or patterns"]),
    ({"key": 3}, ["a name"]), ({"to": "x"}, ["--to", "a checkpoint"]),
    ({"arrays": "decoder.*"}, ["a bias of array 'decoder.0.weight', array 'decoder.2.weight' (--ignore"]),
    ({"arrays": "decoder.0.weight"}, ["a bias of array 'decoder.0.weight'"]),  # it comes along
    ({"key": "x"}, ["not 'x'", "--key '' --arrays 'decoder.*' --lift-bias (3-32-64)"]),
])
def test_what_chooses_nothing_says_what_is_there(ae, given, fragments):
    refused(lambda: wc.read_network(ae, **given), *fragments)


def test_keys_of_a_checkpoint(tmp_path):
    data = {"epoch": 3, "loss": np.ones(()), "nets": {"g": state("0 4 2"), "d": state("0 1 4")},
            "optimizer": {"state": {0: {"exp_avg": np.ones((4, 2))}}, "param_groups": [{"lr": 1}]}}
    path = put(tmp_path, "net.pt", torch_bytes(data))
    refused(lambda: wc.read_network(path), "--key 'nets.g' --lift-bias (2-4) or --key 'nets.d' --l")
    net = wc.read_network(path, key="nets.g", ignore_bias=True)
    assert net.dims == (2, 4) and net.origin.key == "nets.g"
    assert net.origin.unused == ("'loss' of the top", "'0.weight', '0.bias' of 'nets.d'")
    assert "net.pt, key 'nets.g': layer 1" in net.origin.to_text()
    refused(lambda: wc.read_network(path, key="nets"), "not 'nets'")
    path = put(tmp_path, "one.pt", torch_bytes({"model": {"state_dict": state("0 4 2")}, "rng": np.ones(9)}))
    for given in ({}, {"key": "model"}, {"key": "model.state_dict"}, {"arrays": "0.*"}):
        assert wc.read_network(path, ignore_bias=True, **given).dims == (2, 4)
    refused(lambda: wc.read_network(DATA / "plain.npz", key="model"), "--key", "arrays by name")


def test_the_names_may_say_which_dictionary(tmp_path):
    path = put(tmp_path, "net.pt", torch_bytes({"g": state("fc1 4 2"), "noise": {"z": np.ones((9, 2))}}))
    refused(lambda: wc.read_network(path), "--key 'g'", "--key 'noise'")
    assert wc.read_network(path, arrays="z").dims == (2, 9)


@pytest.mark.parametrize(("data", "dims"), [
    (np.ones((4, 2)), (2, 4)), ([np.ones((4, 2)), np.ones((3, 4))], (2, 4, 3))])
def test_a_tensor_and_a_list_of_tensors(tmp_path, data, dims):
    assert wc.read_network(put(tmp_path, "net.pt", torch_bytes(data))).dims == dims


def test_transposed_arrays(tmp_path):
    W1, W2, b = np.arange(8.0).reshape(2, 4), np.arange(12.0).reshape(4, 3), np.ones(4)
    path = tmp_path / "net.npz"
    np.savez(path, **{"dense.kernel": W1, "dense.bias": b, "dense_1.kernel": W2})
    refused(lambda: wc.read_network(path), "array 'dense.kernel'", "(--transpose turns it)")
    refused(lambda: wc.read_network(path, transpose=True), "names of 2 kinds", "--arrays '*'")
    net = wc.read_network(path, transpose=True, arrays="*", ignore_bias=True)
    np.testing.assert_array_equal(net.layers[1], W2.T)
    assert list(net.origin.options) == ["--transpose", "--ignore-bias"]
    np.savez(path, W1=W1, W2=W2)
    refused(lambda: wc.read_network(path), "every layer: shape (n_out, n_in)", "--transpose turns every",
            "take one with --transpose (2-4-3)")
    assert wc.read_network(path, transpose=True).dims == (2, 4, 3)


def test_one_matrix_whatever_else_the_file_holds(tmp_path, capsys):
    path = tmp_path / "net.npz"
    np.savez(path, **state("0 16 2", "3 8 8 4 4"), text=np.array(["a"]), flags=np.ones(3, bool))
    assert read_layer(path, arrays="0.weight").dims == (2, 16)
    refused(lambda: read_layer(path, arrays="3.weight"), "array '3.weight'", "as of a convolution")
    refused(lambda: wc.read_network(path), "array 'flags'")
    for arrays in ("0.weight", "0.*"):
        assert main(["bracket", "wdc", str(path), "--arrays", arrays, *QUICK]) == 0
        out, err = capsys.readouterr()
        assert "net.npz: layer 1 array '0.weight' 16 x 2; one matrix" in out and "not used: '0.bias'" in out
        assert err == ""
    assert main(["bracket", "wdc", str(path), "--arrays", "?.weight", "--quiet"]) == 2
    assert "as of a convolution" in capsys.readouterr().err
    refused(lambda: read_matrix(DATA / "plain.npz"), "found 2: array 'W1', array 'W2'")


@pytest.mark.parametrize(("layers", "wanted"), [
    (["block1.0 20 5", "block2.0 40 20", "out 50 40"], "'*' --lift-bias (5-20-40-50)"),
    (["enc1 30 50", "enc_mu 5 30", "enc_logvar 5 30", "dec1 20 5", "dec2 30 20", "dec_out 50 30"],
     "'dec1.weight,dec2.weight,dec_out.weight' --lift-bias (5-20-30-50)"),
    (["enc1 30 50", "enc_mu 5 30", "enc_logvar 5 30", "dec1 20 5", "dec2 35 20", "dec_out 50 35"],
     "'dec1.weight,dec2.weight,dec_out.weight' --lift-bias (5-20-35-50)"),
    (["generator.0 20 5", "generator.2 50 20", "discriminator.0 20 50", "discriminator.2 1 20"],
     "'generator.*' --lift-bias (5-20-50)"),
    (["encoder.0 16 64", "fc_mu 4 16", "decoder_input 16 4", "decoder.0.0 32 16", "final_layer.0 64 32"],
     "'decoder_input.weight,decoder.0.0.weight,final_layer.0.weight' --lift-bias (4-16-32-64)"),
])
def test_a_whole_decoder_is_offered_before_a_part_of_it(tmp_path, layers, wanted):
    path = put(tmp_path, "net.pt", torch_bytes(state(*layers)))
    refused(lambda: wc.read_network(path), f"take one with --arrays {wanted}")


def test_the_array_at_fault_is_named(tmp_path):
    path = put(tmp_path, "dcgan.pt", torch_bytes(state("0 64 4", "3 16 8 4 4") | {"3.bias": np.ones(8)}))
    refused(lambda: wc.read_network(path), "array '3.weight'", "(16, 8, 4, 4)",
            "--arrays '0.weight' --lift-bias (4-64)")


@pytest.mark.parametrize("alike", [True, False])
def test_the_order_of_a_pattern_is_that_of_the_file_where_it_keeps_one(tmp_path, alike):
    names = ["b.0", "a.0"]
    path = put(tmp_path, "net.pt", torch_bytes({name: np.ones((2, 2)) for name in names}))
    assert layers_of(wc.read_network(path, arrays="*")) == names
    header = {name: {"dtype": "F32", "shape": [1, 1], "data_offsets": [4 * i, 4 * i + 4]}
              for i, name in enumerate(["l1", "l10", "l2"] if alike else ["l2", "l10", "l1"])}
    text = json.dumps(header).encode()
    path = put(tmp_path, "net.safetensors", struct.pack("<Q", len(text)) + text + bytes(12))
    if alike:  # sorted by the writer, so that nobody's order is lost
        assert layers_of(wc.read_network(path, arrays="*")) == ["l1", "l2", "l10"]
    else:
        assert layers_of(wc.read_network(path, arrays="*")) == ["l2", "l10", "l1"]
        refused(lambda: wc.read_network(path), "'l2', 'l10', 'l1' in the file, 'l1', 'l2', 'l10' by name")


# ---- graphs

RNG = np.random.default_rng(0)
VAE = {"We": (32, 64), "Wm": (3, 32), "Wl": (3, 32), "W1": (32, 3), "b1": (32,), "W2": (64, 32)}
TENSORS = {name: RNG.standard_normal(shape).astype("f4") for name, shape in VAE.items()}


@pytest.fixture(scope="module")
def vae(tmp_path_factory):
    """A whole variational autoencoder of three outputs."""
    def node(kind, inputs, output, name="", **given):
        return helper.make_node(kind, inputs.split(), [output], name, **given)

    def value(name):
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, None)

    nodes = [
        node("Gemm", "x We", "h0", transB=1), node("Relu", "h0", "h"), node("Gemm", "h Wm", "mu", transB=1),
        node("Gemm", "h Wl", "s", transB=1), node("Add", "mu s", "z"),
        node("Gemm", "z W1 b1", "a", "first", transB=1), node("Relu", "a", "r"),
        node("Gemm", "r W2", "c", "second", transB=1), node("Relu", "c", "y", "last")]
    graph = helper.make_graph(nodes, "g", [value("x")], list(map(value, ("y", "mu", "s"))),
                              [numpy_helper.from_array(one, name) for name, one in TENSORS.items()])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return put(tmp_path_factory.mktemp("graph"), "vae.onnx", model.SerializeToString())


@pytest.mark.parametrize(("begin", "end"), [("z", "y"), ("first", "y"), ("z", "last"), ("first", "last")])
def test_a_part_of_a_graph(vae, begin, end):
    net = wc.read_network(vae, from_=begin, to=end, ignore_bias=True)
    np.testing.assert_array_equal(net.layers[0], TENSORS["W1"])
    assert net.origin.layers == ("Gemm 'first' 32 x 3", "Gemm 'second' 64 x 32")
    assert net.origin.ordered_by.startswith("order of the graph from 'z' to 'y'")
    assert len(net.origin.unused) == 5
    assert "give what onnx gives for the graph" in net.origin.checked


@pytest.mark.parametrize(("given", "fragments"), [
    ({}, ["--from and --to", "1 and 3: 'x' and 'y', 'mu', 's'"]),
    ({"to": "nowhere"}, ["--to 'nowhere'", "there are 'x', 'h0', 'h', 'mu'"]),
    ({"from_": "x", "to": "y"},
     ["Add 'z'", "as of a skip connection", "--from 'z' --to 'y' --lift-bias (3-32-64)"]),
    ({"from_": "y", "to": "z"}, ["a way from 'y' to 'z' required, found none"]),
    ({"from_": "z", "to": "z"}, ["found nothing"]),
    ({"from_": "z", "to": "c"}, ["no activation after the last layer"]),
    ({"arrays": "W1"}, ["--arrays", "a graph (--from, --to)"]), ({"transpose": True}, ["--transpose"]),
])
def test_parts_of_a_graph_that_are_no_network(vae, given, fragments):
    refused(lambda: wc.read_network(vae, **given), *fragments)


@pytest.mark.parametrize(("name", "given", "dims", "unused"), [
    ("graph.keras", {"from_": "dense_5"}, (4, 3), ("'input_layer_2'", "'dense_4'")),
    ("graph.keras", {"to": "dense_4"}, (2, 4), ("'dense_5'", "'reshape'")),
    ("plain.h5", {"to": "dense"}, (2, 4), ("'dense_1'",)),
])
def test_a_part_of_a_keras_model(name, given, dims, unused):
    origin = wc.read_network(DATA / name, **given).origin
    assert wc.read_network(DATA / name, **given).dims == dims and origin.unused == unused
    assert origin.checked == "none: nothing here evaluates models of Keras"


def test_layers_that_a_keras_model_lacks():
    refused(lambda: wc.read_network(DATA / "plain.keras", to="x"), "there are 'input_layer', 'dense'")
    backwards = {"from_": "dense_5", "to": "dense_4"}
    refused(lambda: wc.read_network(DATA / "graph.keras", **backwards), "a path of layers")


# ---- forward checks


def outputs(x, *kinds):
    """y of the decoder of `AE`."""
    hidden = np.maximum(x @ AE["decoder.0.weight"].T + AE["decoder.0.bias"], 0)
    value = hidden @ AE["decoder.2.weight"].T + AE["decoder.2.bias"]
    return {"relu": np.maximum(value, 0), "none": value, "sigmoid": 1 / (1 + np.exp(-value))}[kinds[0]]


X = np.random.default_rng(2).standard_normal((5, 3))


@pytest.mark.parametrize("last", ["relu", "none", "sigmoid"])
def test_given_outputs_are_compared_before_any_option(ae, tmp_path, last):
    given = {"arrays": "decoder.*", "lift_bias": True, "last_activation": "ignore"}
    np.save(tmp_path / "x.npy", X.astype("f4"))
    np.save(tmp_path / "y.npy", outputs(X, last).astype("f4").reshape(5, 8, 8))
    check = (tmp_path / "x.npy", tmp_path / "y.npy")
    net = wc.read_network(ae, **given, check=check)
    assert "64 outputs at 5 given x, before any option" in net.origin.checked
    command = ["bracket", "wdc", str(ae), "--arrays", "decoder.*", "--layer", "1", "--ignore-bias", *QUICK]
    assert main([*command, "--check", *map(str, check)]) == (0 if last == "relu" else 2)


@pytest.mark.parametrize(("change", "fragments"), [
    (lambda x, y: (x, y + 1e-3 * np.eye(5, 64)), ["a difference of 0.001", "at output", "of x number"]),
    (lambda x, y: (x, y[:4]), ["64 outputs for each of 5 inputs x required, found 256"]),
    (lambda x, y: (x, 0 * y), ["not all 0"]), (lambda x, y: (x[:, :2], y), ["check: x"]),
    (lambda x, y: (x, y * np.nan), ["finite"]), (lambda x, y: x, ["a pair of x and y"]),
    (lambda x, y: ("x.txt", y), ["a readable file"]),
    (lambda x, y: (x, outputs(x, "none")), ["with no activation at the end they agree (--last-activation"]),
])
def test_other_outputs_are_refused(ae, change, fragments):
    check = change(X, outputs(X, "relu"))
    refused(lambda: wc.read_network(ae, arrays="decoder.*", ignore_bias=True, check=check), *fragments)


def test_a_graph_that_evaluates_to_something_else_is_refused(vae, monkeypatch):
    def read(error):
        def off(*given):
            hidden = np.maximum(given[-2] @ TENSORS["W1"].T + TENSORS["b1"], 0)
            return np.maximum(hidden @ TENSORS["W2"].T, 0) * (1 + error)

        monkeypatch.setattr(onnx_graph, "evaluated", off)
        return wc.read_network(vae, from_="z", to="y", ignore_bias=True).origin.checked

    assert "give what" in read(1e-6) and read(np.nan) == "none: an overflow"
    refused(lambda: read(1e-2), "a graph that onnx evaluates to what was read here", "outputs that differ by")


def test_operators_redefined_by_the_model_are_refused(vae, tmp_path):
    model = onnx.load(vae)
    model.functions.append(helper.make_function(
        "", "Relu", ["a"], ["b"], [helper.make_node("Neg", ["a"], ["b"])], [helper.make_opsetid("", 17)]))
    path = put(tmp_path, "net.onnx", model.SerializeToString())
    refused(lambda: wc.read_network(path, from_="z", to="y"), "a function with the name of one")


def test_a_choice_is_whole_for_a_shell_whatever_the_names_are(tmp_path):
    """A name that closed the quotes around it would be run as a command by whoever copies the advice."""
    path, names = tmp_path / "net.npz", ["a'; echo 'b", "w"]
    np.savez(path, **{names[0]: np.ones((3, 2)), names[1]: np.ones((4, 5))})
    with pytest.raises(wc.errors.InvalidInput) as caught:
        wc.read_network(path)
    taken = shlex.split(str(caught.value).partition("take one with ")[2])
    assert [taken[i + 1] for i, word in enumerate(taken) if word == "--arrays"] == names
