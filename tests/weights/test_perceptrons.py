"""scikit-learn: perceptrons and pipelines as they predict; names of Flax and Haiku in files of NumPy."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MaxAbsScaler, MinMaxScaler, PolynomialFeatures, StandardScaler

import wdccheck as wc
from examples.refusals import refused
from wdccheck.weights.files import read_network

RNG = np.random.default_rng(4)
X, Y = RNG.standard_normal((40, 3)), RNG.standard_normal((40, 5))
ALL = {"lift_bias": True, "last_activation": "ignore"}


def fitted(*before, hidden=(6, 4), kind=MLPRegressor, y=Y, **given):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = kind(hidden_layer_sizes=hidden, max_iter=3, random_state=0, **given)
        return (make_pipeline(*before, model) if before else model).fit(X, y)


def lifted(net, x):
    return net(np.column_stack([x, np.ones(len(x))]))


@pytest.mark.parametrize("before", [
    (), (StandardScaler(),), (MinMaxScaler(),), (MaxAbsScaler(), StandardScaler()), ("passthrough",),
    (StandardScaler(with_mean=False),), (StandardScaler(with_std=False),),
])
def test_what_it_predicts(before):
    model = fitted(*before)
    net = wc.ReLUNetwork.from_sklearn(model, **ALL)
    np.testing.assert_allclose(lifted(net, X), np.maximum(model.predict(X), 0), atol=1e-10)
    assert net.dims == (4, 7, 5, 5) and "layer 1 of MLPRegressor" in net.origin.layers[0]
    assert len(net.origin.folded) == sum(one != "passthrough" for one in before)


def test_a_decoder_and_a_classifier():
    auto = fitted(hidden=(6, 2, 6), y=X)
    net = wc.ReLUNetwork.from_sklearn(auto, layers=slice(2, None), **ALL)
    code = RNG.standard_normal((9, 2))
    hidden = np.maximum(code @ auto.coefs_[2] + auto.intercepts_[2], 0)
    wanted = np.maximum(hidden @ auto.coefs_[3] + auto.intercepts_[3], 0)
    np.testing.assert_allclose(lifted(net, code), wanted)
    assert net.origin.unused == ("layer 1", "layer 2")
    part = wc.ReLUNetwork.from_sklearn(auto, layers=slice(0, 2), ignore_bias=True)
    np.testing.assert_array_equal(part.layers[0], auto.coefs_[0].T)
    model = fitted(kind=MLPClassifier, y=(Y[:, 0] > 0).astype(int))
    refused(lambda: wc.ReLUNetwork.from_sklearn(model), "sigmoid after the last layer", "lift_bias=True")
    value = np.log(np.clip(model.predict_proba(X)[:, 1:], 1e-300, 1) / model.predict_proba(X)[:, :1])
    found = lifted(wc.ReLUNetwork.from_sklearn(model, **ALL), X)
    np.testing.assert_allclose(found, np.maximum(value, 0), atol=1e-9)


@pytest.mark.parametrize(("make", "fragments"), [
    (lambda: fitted(), ["ReLUNetwork.from_sklearn(model, lift_bias=True, last_activation='ignore') treats"]),
    (lambda: MLPRegressor(), ["a fitted MLPRegressor", "MLPRegressor without coefs_"]),
    (lambda: fitted(activation="tanh"), ["a ReLU after layer 1 of MLPRegressor required, found tanh"]),
    (lambda: fitted(PolynomialFeatures(2)), ["PolynomialFeatures", "from_sklearn(pipe[-1])"]),
    (lambda: object(), ["object without coefs_"]), (lambda: np.eye(3), ["ndarray without"]),
])
def test_what_is_not_covered(make, fragments):
    model = make()
    refused(lambda: wc.ReLUNetwork.from_sklearn(model), *fragments)


def test_slices_that_are_none():
    model = fitted()
    for layers in (slice(3, None), slice(None, None, 2), 1, slice(0, 0)):
        refused(lambda part=layers: wc.ReLUNetwork.from_sklearn(model, layers=part, **ALL), "slice of the 3")


# ---- files of NumPy with the names of Flax and Haiku

K1, K2, B1, B2 = (RNG.standard_normal(shape) for shape in ((3, 6), (6, 5), 6, 5))
NORM = {"scale": RNG.standard_normal(6), "bias": RNG.standard_normal(6)}
STATS = {"mean": RNG.standard_normal(6), "var": RNG.random(6) + 0.5}


def flax(folder, sep="/", around="params", stats=True, norm=True, first="Dense_0", second="Dense_1"):
    arrays = {f"{around}{sep}{first}{sep}kernel": K1, f"{around}{sep}{first}{sep}bias": B1,
              f"{around}{sep}{second}{sep}kernel": K2, f"{around}{sep}{second}{sep}bias": B2}
    if norm:
        arrays |= {f"params{sep}BatchNorm_0{sep}{name}": value for name, value in NORM.items()}
    if stats:
        arrays |= {f"batch_stats{sep}BatchNorm_0{sep}{name}": value for name, value in STATS.items()}
    np.savez(folder / "net.npz", **arrays)
    return folder / "net.npz"


def computed(x, normed):
    value = x @ K1 + B1
    if normed:
        value = (value - STATS["mean"]) / np.sqrt(STATS["var"] + 1e-5) * NORM["scale"] + NORM["bias"]
    return np.maximum(np.maximum(value, 0) @ K2 + B2, 0)


@pytest.mark.parametrize("sep", ["/", "."])
@pytest.mark.parametrize("normed", [True, False])
def test_flax(tmp_path, sep, normed):
    path = flax(tmp_path, sep, stats=normed, norm=normed)
    fold = " --fold-batchnorm" if normed else ""
    refused(lambda: read_network(path), "a kernel, which Keras", f"--transpose{fold} --lift-bias (3-6-5)")
    net = read_network(path, transpose=True, lift_bias=True, fold_batchnorm=True)
    np.testing.assert_allclose(lifted(net, X), computed(X, normed), rtol=1e-12, atol=1e-12)


def test_batch_norm_of_flax_that_may_stand_elsewhere(tmp_path):
    refused(lambda: read_network(flax(tmp_path, stats=False), transpose=True), "a normalization without")
    path = flax(tmp_path)
    with np.load(path) as found:
        np.savez(path, **found, **{"params/Dense_2/kernel": np.eye(5)})
    refused(lambda: read_network(path, transpose=True), "no layer that it surely follows")


@pytest.mark.parametrize("names", [("mlp/~/linear_0", "mlp/~/linear_1"), ("linear_1", "linear_2")])
def test_haiku(tmp_path, names):
    path = tmp_path / "net.npz"
    one, two = names
    np.savez(path, **{f"{one}/w": K1, f"{one}/b": B1, f"{two}/w": K2, f"{two}/b": B2})
    refused(lambda: read_network(path), "Flax and Haiku", "take one with --transpose --lift-bias (3-6-5)")
    net = read_network(path, transpose=True, lift_bias=True)
    np.testing.assert_allclose(lifted(net, X), computed(X, False), rtol=1e-12, atol=1e-12)
    np.savez(path, **{f"{one}/w": np.arange(9.0).reshape(3, 3)})  # a square one fits either way
    refused(lambda: read_network(path), "(--transpose turns it)")


def test_nested_dictionaries_are_named(tmp_path):
    np.savez(tmp_path / "net.npz", Dense_0={"kernel": K1})
    refused(lambda: read_network(tmp_path / "net.npz"), "flax.traverse_util.flatten_dict(params, sep='/')")
