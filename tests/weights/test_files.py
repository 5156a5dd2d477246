"""Files that the real libraries wrote, and what is done about what the theory does not cover."""

from __future__ import annotations

import json
import math
import re
import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import wdccheck as wc
from examples.refusals import refused
from wdccheck.cli.main import main
from wdccheck.weights.files import SUFFIXES, read_matrix, read_network
from wdccheck.weights.folding import Options, bias_free
from wdccheck.weights.readers.chain import Activation, Chain, Dense, Norm, Relabel, Scale
from wdccheck.weights.readers.names import named_chain
from wdccheck.weights.readers.selection import Arrays

DATA = Path(__file__).parents[1] / "data" / "weights"
V = runpy.run_path(str(DATA / "write.py"))["values"]()
ALL = {"fold_batchnorm": True, "last_activation": "ignore"}
PLAIN = ["plain.npz", "plain.mat", "compressed.mat", "plain.pt", "legacy.pt",
         "bfloat16.safetensors", "mixed.safetensors", "plain.onnx", "script.onnx", "plain.h5", "plain.keras",
         "graph.h5", "graph.keras"]


def test_fixtures_are_small_and_of_every_kind():
    files = [path for path in DATA.iterdir() if path.suffix in SUFFIXES]
    assert {path.suffix for path in files} == set(SUFFIXES)
    assert all(path.stat().st_size <= 24_000 for path in files)


@pytest.mark.parametrize("name", PLAIN)
def test_plain_networks_are_read_exactly(name):
    net = read_network(DATA / name)
    np.testing.assert_array_equal(net.layers[0], V["W1"])
    np.testing.assert_array_equal(net.layers[1], V["W2"])
    assert net.origin.file == name and net.origin.options == {}
    assert [layer.rpartition(" ")[0][-3:] for layer in net.origin.layers] == ["4 x", "3 x"]
    graph = name.endswith((".onnx", ".h5", ".keras"))
    assert ("order of" in net.origin.ordered_by) == (graph or "natural order" in net.origin.ordered_by)
    assert ("assumed" in net.origin.ordered_by) != graph


@pytest.mark.parametrize("name", ["layer.npy", "bfloat16.pt"])
def test_single_matrices(name):
    np.testing.assert_array_equal(read_matrix(DATA / name), V["W1"])
    assert read_network(DATA / name).dims == (2, 4)


def test_views_of_storages():
    net = read_network(DATA / "views.pt", arrays="W1,W2,half")
    for found, wanted in zip(net.layers, (V["W1"], V["W2"], V["W2"].T), strict=True):
        np.testing.assert_array_equal(found, wanted)


def forward(x, layers, last):
    """The network as its library evaluates it: pairs of matrix and bias, batch norm where given."""
    for W, b, norm in layers:
        x = x @ W.T + b
        x = norm(x)
    return last(x)


def norm_of(eps):
    return lambda x: (x - V["mean"]) / np.sqrt(V["var"] + eps) * V["gamma"] + V["beta"]


def relu(x):
    return np.maximum(x, 0)


def same(x):
    return x


X = np.random.default_rng(3).standard_normal((50, 2))
FULL = {  # the layers before a last ReLU, by hand
    "full.pth": lambda x: norm_of(1e-5)(x @ V["W1"].T + V["b1"]),
    "full.safetensors": lambda x: norm_of(1e-5)(x @ V["W1"].T + V["b1"]),
    "full.onnx": lambda x: norm_of(1e-5)(x @ V["W1"].T + V["b1"]),  # folded by PyTorch, in float32
    "training.onnx": lambda x: norm_of(1e-5)(x @ V["W1"].T + V["b1"]),
    "biased.mat": lambda x: x @ V["W1"].T + V["b1"],
}


@pytest.mark.parametrize("name", FULL)
def test_lifted_networks_evaluate_like_the_original_at_t_1(name):
    net = read_network(DATA / name, lift_bias=True, **ALL)
    assert net.dims == (3, 5, 3)
    wanted = relu(relu(FULL[name](X)) @ V["W2"].T + V["b2"])
    np.testing.assert_allclose(net(np.column_stack([X, np.ones(50)])), wanted, rtol=1e-5, atol=1e-5)
    assert "--lift-bias" in net.origin.options and "upper bound of the RRIC" in net.origin.to_text()


def test_batch_norm_after_a_relu_is_folded_into_the_next_layer():
    net = read_network(DATA / "full.keras", lift_bias=True, **ALL)
    wanted = relu(norm_of(0.5)(relu(X @ V["W1"].T + V["b1"])) @ V["W2"].T)
    np.testing.assert_allclose(net(np.column_stack([X, np.ones(50)])), wanted, rtol=1e-9, atol=1e-12)
    assert set(net.origin.options) == {"--fold-batchnorm", "--lift-bias", "--last-activation"}


def test_batch_norm_of_the_last_layer():
    net = read_network(DATA / "normed.h5", lift_bias=True, **ALL)
    wanted = relu(norm_of(0.5)(X @ V["W1"].T + V["b1"]))
    np.testing.assert_allclose(net(np.column_stack([X, np.ones(50)])), wanted, rtol=1e-9, atol=1e-12)


def test_ignored_biases():
    net = read_network(DATA / "biased.mat", ignore_bias=True)
    np.testing.assert_array_equal(net.layers[0], V["W1"])
    assert list(net.origin.options) == ["--ignore-bias"]
    refused(lambda: read_network(DATA / "biased.mat", ignore_bias=True, lift_bias=True), "found both")
    refused(lambda: read_network(DATA / "biased.mat", last_activation="none"), "'relu' or 'ignore'")


@pytest.mark.parametrize(("name", "fragments"), [
    ("full.pth", ["batch norm '1'", "--fold-batchnorm", "--ignore-bias or --lift-bias", "'0.weight'"]),
    ("full.onnx", ["a bias of Gemm", "sigmoid after the last layer (--last-activation ignore"]),
    ("full.keras", ["BatchNormalization 'batch_normalization' (--fold-", "sigmoid"]),
    ("normed.h5", ["no activation after the last layer"]),
    ("module.pt", ["torch.nn.modules.container.Sequential", "not executed", "state_dict"]),
    ("only.weights.h5", ["a whole Keras model", "weights only"]),
])
def test_what_is_not_covered_is_named(name, fragments):
    refused(lambda: read_network(DATA / name), str(DATA / name), "required, found", *fragments)


@pytest.mark.parametrize(("arrays", "fragments"), [
    ({"c.weight": np.ones((3, 2, 5, 5))}, ["'c.weight'", "as of a convolution"]),
    ({"rnn.weight_ih_l0": np.ones((3, 3))}, ["a part of a recurrent"]),
    ({"W1": np.ones((2, 2)), "weight1": np.ones((2, 2))}, ["also 'W1'"]),
    ({"fc.weight": np.ones((2, 2)), "ln.weight": np.ones(2), "ln.bias": np.ones(2)}, ["a normalization"]),
    ({"0.weight": np.ones((2, 2)), "2.running_mean": np.ones(2), "2.running_var": np.ones(2)},
     ["batch norm '2'", "no layer that it surely follows"]),
    ({"0.weight": np.ones((2, 2)), "1.running_mean": np.ones(2)}, ["no variance"]),
    ({"0.weight": np.ones((2, 2)), "1.running_mean": np.ones(3), "1.running_var": np.ones(3)}, ["3 entries"]),
    ({"0.weight": np.ones((2, 2)), "1.running_mean": np.ones(2), "1.running_var": -np.ones(2)},
     ["epsilon > 0"]),
    ({"0.weight": np.ones((2, 2)), "0.bias": np.ones(3)}, ["its bias", "shape (3,)"]),
    ({"0.bias": np.ones(3)}, ["shape (3,), as of a bias"]),
])
def test_named_arrays_that_are_no_network(arrays, fragments):
    refused(lambda: chain_of("net.pt", arrays), "net.pt: ", *fragments)


@pytest.mark.parametrize("names", [
    ("fc1", "bn1", "fc2"), ("net.0", "net.1", "net.3"), ("1.linear", "1.norm", "2.linear")])
def test_where_batch_norm_belongs(names):
    first, norm, second = names
    arrays = {f"{norm}.running_mean": np.ones(3), f"{norm}.running_var": np.ones(3),
              f"{norm}.num_batches_tracked": np.array(7), f"{first}.weight": np.ones((3, 2)),
              f"{second}.weight": np.ones((1, 3))}
    kinds = [type(step) for step in chain_of("f", arrays).steps]
    assert kinds == [Dense, Norm, Activation, Dense, Activation]


def test_names_of_weights_and_biases():
    W = np.ones((3, 2))
    for weight, bias in (("W1", "b1"), ("layer1/weights:0", "layer1/biases:0"), ("fc_weight", "fc_bias")):
        arrays = {bias.partition(":")[0]: np.ones((3, 1)), weight.partition(":")[0]: W}
        first = chain_of("f", arrays).steps[0]
        np.testing.assert_array_equal(first.b, np.ones(3))
    for names in (("b",), ("b1", "b2")):
        assert all(step.b is None for step in chain_of("f", dict.fromkeys(names, np.eye(3))).steps[::2])


def chain_of(source, arrays):
    return named_chain(Arrays.read(source, arrays))


def chain(*steps):
    return Chain("f", steps, "")


D = Dense("layer", np.eye(2))
RELU = Activation("r", "relu")


@pytest.mark.parametrize(("steps", "fragments"), [
    ((), ["begins with a matrix required, found nothing"]),
    ((RELU, D, RELU), ["begins with a matrix"]),
    ((D, Activation("s", "tanh"), D, RELU), ["f: s: a ReLU after layer required, found tanh"]),
    ((D, D, RELU), ["found no activation"]),
    ((D, RELU, Relabel("view"), D, RELU), ["relu and a change of shape"]),
    ((D, RELU, Norm("n", np.ones(2), np.ones(2)), RELU, D, RELU), ["relu and batch norm and relu"]),
    ((D, RELU, Scale("n", -np.ones(2), np.zeros(2)), RELU, D, RELU), ["relu and a scale or shift and relu"]),
    ((D, Norm("n", np.ones(3), np.ones(3)), RELU), ["2 entries beside layer required, found 3"]),
    ((D, Norm("n", np.full(2, 1e308), np.full(2, 1e308)), Norm("n", np.full(2, 1e308), np.ones(2)), RELU),
     ["finite"]),
])
def test_chains_that_no_option_helps(steps, fragments):
    refused(lambda: bias_free(chain(*steps), Options(True, True, False, "ignore")), *fragments)


def test_a_bias_of_zeros_and_a_last_change_of_shape_need_no_option():
    layers, used, _ = bias_free(chain(D, RELU, Relabel("view")), Options())
    assert len(layers) == 1 and used == {}
    zeros = chain_of("f", {"0.weight": np.eye(2), "0.bias": np.zeros(2)})
    assert bias_free(zeros, Options())[1] == {}


def test_lifting_keeps_the_one_and_the_last_bias():
    one = Dense("a", np.eye(2), np.array([3.0, 0.0]))
    (first, last), _, _ = bias_free(chain(one, RELU, one, RELU), Options(lift_bias=True))
    np.testing.assert_array_equal(first.W, [[1, 0, 3], [0, 1, 0], [0, 0, 1]])
    np.testing.assert_array_equal(last.W, [[1, 0, 3], [0, 1, 0]])


def test_the_order_and_the_options_are_printed_and_written(tmp_path, capsys):
    path, out = DATA / "full.pth", tmp_path / "r.json"
    options = ["--fold-batchnorm", "--lift-bias", "--workers", "1", "--time-limit", "0.2", "--alpha", "1"]
    assert main(["bracket", "wdc", str(path), "--layer", "1", *options, "--json", str(out)]) == 0
    text, err = capsys.readouterr()
    said = "key 'model_state_dict': layer 1 array '0.weight' 5 x 3, layer 2 array '3.weight' 3 x 5; natural"
    assert said in " ".join(text.split()) and "0.weight" not in err
    assert "--lift-bias: the biases of" in text and "epsilon 1e-05 assumed" in text
    (origin,) = json.loads(out.read_text())["weights"]
    assert origin["file"] == "full.pth" and set(origin["options"]) == {"--fold-batchnorm", "--lift-bias"}
    assert main(["certify", str(path), *options, "--json", str(out), "--quiet"]) == 0
    text, err = capsys.readouterr()
    assert err == "" and "--lift-bias: the biases of" in text
    assert set(json.loads(out.read_text())["network"]["origin"]["options"]) == set(origin["options"])
    assert main(["verify", str(out), "--no-rerun", "--weights", str(path), *options[:2]]) == 3
    capsys.readouterr()
    assert main(["certify", str(path), "--time-limit", "1"]) == 2
    assert "--ignore-bias or --lift-bias" in capsys.readouterr().err
    assert main(["bracket", "joint-wdc", str(DATA / "plain.npz"), str(DATA / "layer.npy"), "--quiet"]) == 2
    assert "one array required, found 2" in capsys.readouterr().err


def test_the_origin_travels_with_the_network():
    net = read_network(DATA / "biased.mat", ignore_bias=True)
    report = wc.certify(net, alpha=1.0, time_limit=0.1)
    assert report.to_dict()["network"]["origin"] == net.origin.to_dict()
    assert "--ignore-bias" in report.to_text()
    assert net.sha256 == wc.ReLUNetwork([V["W1"], V["W2"]]).sha256


def test_reading_plain_files_imports_no_heavy_library():
    code = ("import sys; from wdccheck.weights import read_network; read_network(sys.argv[1]); "
            "print(*{'h5py', 'onnx', 'scipy', 'safetensors', 'torch'} & set(sys.modules))")
    command = [sys.executable, "-c", code, str(DATA / "plain.pt")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.stdout.strip() == "", done.stderr


@pytest.mark.parametrize(("name", "module"), [
    ("plain.onnx", "onnx"), ("plain.keras", "h5py"), ("plain.h5", "h5py")])
def test_a_missing_library_is_named(monkeypatch, name, module):
    monkeypatch.setitem(sys.modules, module, None)
    refused(lambda: read_network(DATA / name), f"{module} (pip install 'wdccheck[weights]')")


def test_the_fold_is_what_batch_norm_computes():
    rng = np.random.default_rng(0)
    W, b = rng.standard_normal((4, 3)), rng.standard_normal(4)
    scale, shift = rng.standard_normal(4), rng.standard_normal(4)
    (layer,), _, _ = bias_free(chain(Dense("a", W, b), Norm("n", scale, shift), RELU),
                               Options(fold_batchnorm=True, lift_bias=True))
    x = rng.standard_normal(3)
    np.testing.assert_allclose(layer.W @ [*x, 1], scale * (W @ x + b) + shift, rtol=1e-13)
    assert math.isfinite(layer.W.sum())


def test_the_snippet_of_the_page_prints_what_stands_below_it(monkeypatch, capsys):
    page = (Path(__file__).parents[2] / "docs" / "weight-files.md").read_text(encoding="utf-8")
    code, shown = re.search(r"```python\n(.*?)```\n\n```\n(.*?)```", page, re.DOTALL).groups()
    monkeypatch.chdir(DATA)
    exec(code, {})
    assert capsys.readouterr().out == shown
    assert all(f"`{suffix}`" in page for suffix in SUFFIXES)


def test_an_order_that_is_not_that_of_the_file_is_refused():
    refused(lambda: chain_of("f", {"W2": np.eye(2), "W1": np.eye(2)}),
            "'W2', 'W1' in the file, 'W1', 'W2' by name", "--arrays 'W2,W1'", "--arrays 'W1,W2'")


@pytest.mark.parametrize(("names", "missing"), [
    (("W1", "W3"), "'W2'"), (("fc1.weight", "fc2.weight", "fc5.weight"), "'fc3'"),
    (("a.W2", "a.W4"), "'a.W3'"),
    (("0.weight", "2.weight"), None), (("net.0.weight", "net.4.weight"), None), (("W1", "W2"), None)])
def test_a_number_left_out_is_said(names, missing):
    order = chain_of("f", {name: np.eye(2) for name in names}).ordered_by
    assert (f"(none is called {missing})" in order) if missing else "none is called" not in order
