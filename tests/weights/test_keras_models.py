"""Models of Keras: models within models, of old versions, with rescalings; parts of them, and ways on."""

from __future__ import annotations

import io
import json
import zipfile

import h5py
import numpy as np
import pytest

from examples.refusals import refused
from examples.weight_files import DATA
from wdccheck.weights.files import read_network

RNG = np.random.default_rng(8)
K1, K2 = RNG.standard_normal((3, 6)).astype("f4"), RNG.standard_normal((6, 5)).astype("f4")
B1, B2 = RNG.standard_normal(6).astype("f4"), RNG.standard_normal(5).astype("f4")
X = RNG.standard_normal((7, 3))


def dense(name, units, activation="relu", **more):
    config = {"name": name, "units": units, "activation": activation, "use_bias": True, **more}
    return {"class_name": "Dense", "config": config}


def other(kind, name, **config):
    return {"class_name": kind, "config": {"name": name, **config}}


def sequential(*layers, name="net"):
    return {"class_name": "Sequential", "config": {"name": name, "layers": list(layers)}}


def functional(*layers, outputs, name="net"):
    """Layers with the names of those before them."""
    named = [{**layer, "name": layer["config"]["name"], "inbound_nodes": [[[one, 0, 0, {}] for one in before]]
              if before else []} for layer, before in layers]
    return {"class_name": "Functional", "config": {
        "name": name, "layers": named, "output_layers": [[one, 0, 0] for one in outputs]}}


def legacy(folder, model, weights):
    """One HDF5 file; weights by outermost layer, as names of arrays and arrays."""
    path = folder / "net.h5"
    with h5py.File(path, "w") as file:
        file.attrs["model_config"] = json.dumps(model)
        top = file.create_group("model_weights")
        for layer, arrays in weights.items():
            group = top.create_group(layer)
            group.attrs["weight_names"] = [name.encode() for name in arrays]
            for name, array in arrays.items():
                group.create_dataset(name, data=array)
    return path


def pair(name, K, b):
    return {f"{name}/kernel:0": K, f"{name}/bias:0": b}


TWO = {"d1": pair("d1", K1, B1), "d2": pair("d2", K2, B2)}


def computes(net, x=X, before=lambda x: x, between=lambda x: x):
    """Whether this is the network of both layers, lifted."""
    hidden = between(np.maximum(before(x) @ K1 + B1, 0))
    wanted = np.maximum(hidden @ K2 + B2, 0)
    np.testing.assert_allclose(net(np.column_stack([x, np.ones(len(x))])), wanted, rtol=1e-6, atol=1e-6)
    return net


@pytest.mark.parametrize("name", ["nested.h5", "nested.keras"])
def test_a_decoder_within_a_model_that_keras_wrote(name):
    plain = read_network(DATA / "plain.keras")
    given = {"from_": "decoder"} if name == "nested.h5" else {}
    net = read_network(DATA / name, last_activation="ignore", **given)
    assert net.sha256 == plain.sha256 and "'decoder/dense" in net.origin.layers[0]
    if given:
        refused(lambda: read_network(DATA / name), "Dense 'decoder/dense", "found no activation; take a part "
                "with --from 'decoder' --last-activation ignore (2-4-3) or --to 'encoder'")
        inner = net.origin.layers[1].split("'")[1]
        assert read_network(DATA / name, from_=inner, last_activation="ignore").dims == (4, 3)
        first = net.origin.layers[0].split("'")[1]
        assert read_network(DATA / name, from_="decoder", to=first).dims == (2, 4)
        refused(lambda: read_network(DATA / name, from_="decoder/x"), "a layer of the model", "there are")


def test_an_archive_without_names_of_groups_and_a_model_within(tmp_path):
    data = io.BytesIO()
    with zipfile.ZipFile(DATA / "nested.keras") as old:
        data.write(old.read("model.weights.h5"))
        with h5py.File(data, "r+") as file:
            groups = []
            file.visititems(lambda path, found: groups.append(found) if path.endswith("vars") else None)
            for group in groups:
                del group.attrs["name"]
        with zipfile.ZipFile(tmp_path / "old.keras", "w") as new:
            new.writestr("config.json", old.read("config.json"))
            new.writestr("model.weights.h5", data.getvalue())
    net = read_network(tmp_path / "old.keras", last_activation="ignore")
    assert net.sha256 == read_network(DATA / "plain.keras").sha256


def test_a_sequential_whose_configuration_is_a_list(tmp_path):
    model = {"class_name": "Sequential", "config": [dense("d1", 6), dense("d2", 5)]}
    computes(read_network(legacy(tmp_path, model, TWO), lift_bias=True))
    inner = {**model, "name": "inner", "inbound_nodes": [[["x", 0, 0, {}]]]}
    outer = functional((other("InputLayer", "x", batch_input_shape=[None, 3]), []), outputs=["inner"])
    outer["config"]["layers"].append(inner)
    every = {"inner": {**TWO["d1"], **TWO["d2"]}}
    computes(read_network(legacy(tmp_path, outer, every), lift_bias=True))


@pytest.mark.parametrize("scope", ["", "inner/", "net/inner/"])
def test_models_within_models_in_one_file(tmp_path, scope):
    model = sequential(sequential(dense("d1", 6), name="inner"), dense("d2", 5))
    weights = {"inner": pair(f"{scope}d1", K1, B1), "d2": TWO["d2"]}
    net = computes(read_network(legacy(tmp_path, model, weights), lift_bias=True))
    assert net.origin.layers == ("Dense 'inner/d1' 7 x 4", "Dense 'd2' 5 x 7")
    twice = sequential(sequential(sequential(dense("d", 6), name="a"), dense("d", 5), name="b"))
    names = {"b": {**pair("a/d", K1, B1), **pair("b/d", K2, B2)}}
    computes(read_network(legacy(tmp_path, twice, names), lift_bias=True))
    alike = {"b": {"d/kernel:0": K1, "d/bias:0": B1, "e/kernel:0": K2, "e/bias:0": B2}}
    refused(lambda: read_network(legacy(tmp_path, twice, alike)), "the arrays kernel, bias")


def test_models_too_deep(tmp_path):
    model = sequential(dense("d", 3))
    for _ in range(40):
        model = sequential(model)
    refused(lambda: read_network(legacy(tmp_path, model, {})), "models within one another")


SAMPLED = functional(
    (other("InputLayer", "x", batch_shape=[None, 9]), []), (dense("h", 4), ["x"]), (dense("mu", 3), ["h"]),
    (dense("var", 3), ["h"]), (other("Lambda", "z"), ["mu", "var"]), (dense("d1", 6), ["z"]),
    (dense("d2", 5, "sigmoid"), ["d1"]), outputs=["d2", "mu", "var"])


def test_the_decoder_of_a_variational_autoencoder(tmp_path):
    path = legacy(tmp_path, SAMPLED, TWO)
    refused(lambda: read_network(path), "layer 'z'", "found 2: 'mu', 'var'; take a part with --from 'd1'")
    net = read_network(path, from_="d1", lift_bias=True, last_activation="ignore")
    assert computes(net).origin.unused == ("'x'", "'h'", "'mu'", "'var'", "'z'")
    beside = functional((other("InputLayer", "x"), []), (other("InputLayer", "c"), []),
                        (dense("d1", 6), ["x"]), (other("Concatenate", "j"), ["d1", "c"]),
                        (dense("d2", 5), ["j"]), outputs=["d2"])
    path = legacy(tmp_path, beside, TWO)
    refused(lambda: read_network(path), "layer 'j'", "--from 'd2' --lift-bias (6-5) or --to 'd1' --lift-bias")
    refused(lambda: read_network(path, from_="d1"), "layer 'j'", "one input, without skip connections")


@pytest.mark.parametrize(("layers", "how"), [
    ([other("Rescaling", "s", scale=2.0, offset=-1.0), dense("d1", 6), dense("d2", 5)],
     {"before": lambda x: 2 * x - 1}),
    ([dense("d1", 6), other("Rescaling", "s", scale=-0.5, offset=0.25), dense("d2", 5)],
     {"between": lambda x: 0.25 - x / 2}),
    ([dense("d1", 6, "linear"), other("LeakyReLU", "r", negative_slope=0.0), dense("d2", 5)], {}),
    ([dense("d1", 6, "linear"), other("LeakyReLU", "r", alpha=0.0), dense("d2", 5)], {}),
    ([dense("d1", 6, "linear"), other("ThresholdedReLU", "r", theta=0.0), dense("d2", 5)], {}),
    ([dense("d1", 6, {"class_name": "ReLU", "config": {"max_value": None}}), dense("d2", 5)], {}),
    ([dense("d1", 6), other("Reshape", "v", target_shape=[2, 3]), other("Flatten", "f"), dense("d2", 5)], {}),
])
def test_layers_that_come_to_the_same(tmp_path, layers, how):
    net = computes(read_network(legacy(tmp_path, sequential(*layers), TWO), lift_bias=True), **how)
    assert bool(net.origin.folded) == any(layer["class_name"] == "Rescaling" for layer in layers)


@pytest.mark.parametrize(("layers", "fragments"), [
    ([dense("d1", 6), other("Conv2D", "c"), dense("d2", 5)],
     ["a convolution", "--from 'd2' (6-5) or --to 'd1' (3-6)"]),
    ([dense("d1", 6), other("UnitNormalization", "u")],
     ["another normalization", "take a part with --to 'd1' (3-6)"]),
    ([other("Lambda", "l")], ["'Lambda'", "wc.ReLUNetwork([K1.T, ...]) takes kernels"]),
    ([dense("d1", 6, "gelu"), dense("d2", 5)], ["found gelu; take a part with --from 'd2'"]),
    ([dense("d1", 6), other("Reshape", "v", target_shape=[6, 1]), dense("d2", 5)], ["a change of shape"]),
    ([dense("d1", 6), other("Rescaling", "s", scale=[1, 2], offset=0.0)], ["one scale and one offset"]),
])
def test_refusals_end_with_a_way_on(tmp_path, layers, fragments):
    path = legacy(tmp_path, sequential(*layers), TWO)
    refused(lambda: read_network(path, lift_bias=True), str(path), *fragments)


def test_a_model_that_is_a_class_of_its_own(tmp_path):
    path = legacy(tmp_path, {"class_name": "VAE", "config": {}}, {})
    refused(lambda: read_network(path), "model.decoder.save('decoder.keras')", "found 'VAE'")
    for model in ({}, {"class_name": "Sequential"}, {"class_name": "Sequential", "config": {"layers": [1]}},
                  {"class_name": [], "config": 3}, {"class_name": "Functional", "config": {"layers": []}}):
        with_none = legacy(tmp_path, model, {})
        refused(lambda path=with_none: read_network(path), str(path))
    refused(lambda: read_network(DATA / "only.weights.h5"), "model.load_weights", "weights only")
