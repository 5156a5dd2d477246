"""Modules as PyTorch has them, by stand-ins: tensors that need gradients, layers, containers, parts."""

from __future__ import annotations

from collections import OrderedDict

import numpy as np
import pytest

import wdccheck as wc
from examples.refusals import refused
from wdccheck import InvalidInput, ReLUNetwork

RNG = np.random.default_rng(0)
W1 = np.array([[1.0, 2.0], [-1.0, 0.5], [0.0, -3.0]])
W2 = np.array([[1.0, -1.0, 2.0]])
b1, b2 = np.array([0.5, -1.0, 2.0]), np.array([0.25])
X = np.column_stack([RNG.standard_normal((20, 2)), np.ones(20)])


class Tensor:
    """Converts only when detached and on the host, like a parameter on another device; bfloat16 never."""

    def __init__(self, value, ready=0, dtype="float32"):
        self.value, self.ready, self.dtype = np.asarray(value, np.float32), ready, dtype

    def detach(self):
        return Tensor(self.value, 1, self.dtype)

    def cpu(self):
        return Tensor(self.value, 2 * self.ready, self.dtype)

    def double(self):
        return Tensor(self.value, self.ready)

    def new_tensor(self, data):
        return Tensor(data)

    def __array__(self, dtype=None, copy=None):
        if self.ready != 2:
            raise RuntimeError("Can't call numpy() on Tensor that requires grad.")
        if self.dtype == "bfloat16":
            raise TypeError("Got unsupported ScalarType BFloat16")
        return np.array(self.value, dtype)


class Linear:
    def __init__(self, weight, bias=None, **others):
        self.weight, self.bias = Tensor(weight), None if bias is None else Tensor(bias)
        vars(self).update({name: Tensor(value) for name, value in others.items()})


class BatchNorm1d:
    eps = 0.5

    def __init__(self, width):
        self.running_mean, self.running_var = Tensor(np.arange(width)), Tensor(1.5 + np.arange(width))
        self.weight, self.bias = Tensor(2 - np.arange(width)), Tensor(np.ones(width))


class ReLU:
    pass


class Sequential(list):
    pass


class Generator(Sequential):
    pass


KINDS = {name: type(name, (ReLU,), {}) for name in (
    "Identity", "Dropout1d", "Flatten", "Unflatten", "LeakyReLU", "Sigmoid", "Tanh", "Conv2d", "Block",
    "DropoutBlock")}


def one(name):
    return KINDS[name]()


def test_layers_that_need_gradients_are_detached():
    layers = [Linear(W1), Linear(W2)]
    net = ReLUNetwork([layer.weight for layer in layers])
    np.testing.assert_array_equal(net.layers[0], W1)
    np.testing.assert_array_equal(ReLUNetwork([Tensor(W1, dtype="bfloat16")]).layers[0], W1)
    assert wc.bracket(wc.WDC(layers[0].weight, 1.0), wc.Spectral()).upper >= 0
    refused(lambda: ReLUNetwork(layers), "modules; ReLUNetwork.from_torch(model)")
    refused(lambda: ReLUNetwork(Model()), "modules; ReLUNetwork.from_torch(model)")
    refused(lambda: ReLUNetwork(Sequential([*layers, ReLU()])), "ReLUNetwork.from_torch")


def test_a_sequential_is_followed():
    gate = ReLU()  # one module used twice, as is usual
    inner = Sequential([Linear(W1), gate, one("Dropout1d")])
    net = ReLUNetwork.from_torch(Sequential([one("Identity"), inner, Linear(W2), gate, one("Unflatten")]))
    np.testing.assert_array_equal(net.layers[0], W1)
    np.testing.assert_array_equal(net.layers[1], W2)
    assert net.origin.to_text() == ("Sequential: layer 1 Linear '1.0' 3 x 2, layer 2 Linear '2' 1 x 3; "
                                    "order of the modules")
    assert ReLUNetwork.from_torch(Sequential([Linear(W1, np.zeros(3)), ReLU()])).origin.options == {}


def test_a_sequential_that_lists_its_modules():
    children = OrderedDict([("first", Linear(W1)), ("gate", ReLU())])
    fake = type("Sequential", (), {"named_modules": lambda self: [("", self), *children.items()]})
    assert ReLUNetwork.from_torch(fake()).dims == (2, 3)


@pytest.mark.parametrize("end", ["Sigmoid", "Tanh", "LeakyReLU"])
def test_the_options_are_those_of_files(end):
    module = Sequential([Linear(W1, b1), BatchNorm1d(3), ReLU(), Linear(W2, b2), one(end)])
    refused(lambda: ReLUNetwork.from_torch(module), "BatchNorm1d '1' (fold_batchnorm=True would",
            "Linear '0'", "(ignore_bias=True or lift_bias=True would treat it)", f"{end[1:4]}",
            "ReLUNetwork.from_torch(model, fold_batchnorm=True, lift_bias=True, last_activation='ignore')")
    net = ReLUNetwork.from_torch(module, fold_batchnorm=True, lift_bias=True, last_activation="ignore")
    hidden = X[:, :2] @ W1.T + b1
    hidden = (hidden - np.arange(3)) / np.sqrt(2.0 + np.arange(3)) * (2 - np.arange(3)) + 1
    np.testing.assert_allclose(net(X), np.maximum(np.maximum(hidden, 0) @ W2.T + b2, 0), rtol=1e-12)
    assert list(net.origin.options) == ["--fold-batchnorm", "--lift-bias", "--last-activation"]
    plain = Sequential([Linear(W1, b1), ReLU(), Linear(W2), ReLU()])
    assert ReLUNetwork.from_torch(plain, ignore_bias=True).dims == (2, 3, 1)


@pytest.mark.parametrize("call", [
    lambda net: wc.certify(net, alpha=1.0, time_limit=0.1),
    lambda net: wc.isometry(np.eye(1), net, time_limit=0.1),
    lambda net: wc.certify_pair(net, net, alpha=1.0, time_limit=0.1)])
def test_a_module_may_stand_for_its_network(call):
    call(Sequential([Linear(W1), ReLU(), Linear(W2), ReLU()]))
    refused(lambda: call(Sequential([Linear(W1, b1), ReLU()])), "from_torch(model, lift_bias=True)")


# ---- weights of parts: the plain attribute may be stale


def test_parts_of_a_weight_are_put_together():
    g, v = np.linalg.norm(W1, axis=1, keepdims=True), 3 * W1
    net = ReLUNetwork.from_torch(Sequential([Linear(np.ones((3, 2)), weight_g=g, weight_v=v), ReLU()]))
    np.testing.assert_allclose(net.layers[0], W1, rtol=1e-6)
    assert "'0.weight' of '0.weight_g' and '0.weight_v'" in net.origin.folded[0]
    mask = np.array([[1.0, 0], [0, 1], [1, 1]])
    net = ReLUNetwork.from_torch(Sequential([Linear(W1, weight_orig=W1, weight_mask=mask), ReLU()]))
    np.testing.assert_array_equal(net.layers[0], W1 * mask)
    u, s, vt = np.linalg.svd(W1)
    parts = {"weight_orig": W1, "weight_u": u[:, 0], "weight_v": vt[0]}
    net = ReLUNetwork.from_torch(Sequential([Linear(W1, **parts), ReLU()]))
    np.testing.assert_allclose(net.layers[0], W1 / s[0], rtol=1e-5)
    odd = Sequential([Linear(W1, weight_orig=W1, weight_u=u[:, 0]), ReLU()])
    refused(lambda: ReLUNetwork.from_torch(odd), "remove_spectral_norm(module)")


@pytest.mark.parametrize("training", [True, False])
def test_a_parametrized_layer_is_read_at_evaluation(training):
    layer = type("ParametrizedLinear", (Linear,), {"training": training})(W1)
    if training:
        refused(lambda: ReLUNetwork.from_torch(Sequential([layer, ReLU()])), "call model.eval() before")
    else:
        assert ReLUNetwork.from_torch(Sequential([layer, ReLU()])).dims == (2, 3)


# ---- modules of one's own: called, and taken only if they compute what their layers do


class Model:
    """A module of two layers; `hidden` and `last` are what its forward pass applies."""

    training = False

    def __init__(self, hidden=None, last=None, parts=()):
        self.parts = OrderedDict(fc1=Linear(W1, b1), fc2=Linear(W2, b2), **dict(parts))
        self.hidden, self.last = hidden or (lambda x: np.maximum(x, 0)), last or (lambda x: x)

    def named_modules(self):
        return [("", self), *self.parts.items()]

    def __call__(self, x):
        hidden = self.hidden(x.detach().cpu().__array__() @ W1.T + b1)
        return Tensor(self.last(hidden @ W2.T + b2))


def relu(x):
    return np.maximum(x, 0)


@pytest.mark.parametrize(("last", "options"), [
    (relu, {}), (None, {"last_activation": "ignore"}), (np.tanh, {"last_activation": "ignore"}),
    (lambda x: 1 / (1 + np.exp(-x)), {"last_activation": "ignore"})])
def test_a_module_that_computes_what_its_layers_do(last, options):
    net = ReLUNetwork.from_torch(Model(last=last), lift_bias=True, **options)
    np.testing.assert_allclose(net(X), relu(relu(X[:, :2] @ W1.T + b1) @ W2.T + b2), rtol=1e-6)
    assert "give what the module gives at 64 random inputs" in net.origin.checked
    if options:
        refused(lambda: ReLUNetwork.from_torch(Model(last=last)), "after the last layer (last_activation=")


@pytest.mark.parametrize(("model", "fragments"), [
    (Model(np.tanh), ["gives other outputs", "torch.onnx.export"]),
    (Model(np.tanh, parts={"encoder": Sequential(), "decoder": Sequential()}),
     ["ReLUNetwork.from_torch(model.encoder) or ReLUNetwork.from_torch(model.decoder) takes a part"]),
    (Model(lambda x: np.where(x > 0, x, 0.01 * x)), ["gives other outputs"]),
    (Model(lambda x: relu(x) + x), ["gives other outputs"]),
    (Model(last=lambda x: 1.01 * x), ["gives other outputs"]),
    (Model(last=lambda x: 0 * x), ["gives other outputs"]),
    (Model(last=lambda x: np.column_stack([x, x])), ["gives other outputs"]),
    (Model(last=lambda x: 1 / 0), ["ZeroDivisionError", "torch.onnx.export"]),
    (Model(np.tanh, parts={"conv": one("Conv2d")}), ["with Conv2d 'conv'", "torch.onnx.export"]),
    (type("Trained", (Model,), {"training": True})(), ["Trained in training; call model.eval() before"]),
])
def test_a_module_that_computes_something_else_is_refused(model, fragments):
    refused(lambda: ReLUNetwork.from_torch(model, lift_bias=True, last_activation="ignore"), *fragments)


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (Sequential([Linear(W1, b1), ReLU()]), "a bias of Linear '0' .ignore_bias=True or lift_bias=True"),
        (Sequential([Linear(W1), one("LeakyReLU")]), "found LeakyReLU after the last layer"),
        (Sequential([Linear(W1), one("Tanh"), Linear(W2), ReLU()]), "a ReLU after Linear '0' .* found tanh"),
        (Sequential([Linear(W1), one("DropoutBlock"), ReLU()]), "DropoutBlock '1'"),
        (Sequential([Linear(W1), one("Block")]), "Block '1': .* found Block; torch.onnx.export"),
        (Generator([Linear(W1), ReLU()]), "module: Generator: .* found Generator; torch.onnx.export"),
        (Sequential([Linear(W1), Sequential([Linear(W2)]), ReLU()]), "Linear '0': a ReLU after"),
        (Sequential([Linear(W1), ReLU(), Linear(W2)]), "no activation after the last layer"),
        (Sequential([ReLU(), Linear(W1), ReLU()]), "begins with a matrix required, found ReLU '0'"),
        (Sequential([Linear(np.ones(3)), ReLU()]), "Linear '0', its weight: a matrix"),
        (Sequential([Linear(W2), ReLU(), Linear(W2), ReLU()]), "Linear '2': shape"),
        (Sequential(), "begins with a matrix required, found nothing"),
        (type("Sequential", (), {})(), "module: an iterable of modules"),
        (type("Linear", (), {})(), "Linear: a weight required, found none"),
        (None, "module: NoneType: .* found NoneType"),
    ],
)
def test_what_is_no_network_is_refused(module, message):
    with pytest.raises(InvalidInput, match=message):
        ReLUNetwork.from_torch(module)


def test_batch_norm_of_the_batch_is_refused():
    norm = BatchNorm1d(3)
    norm.running_mean = None
    refused(lambda: ReLUNetwork.from_torch(Sequential([Linear(W1), norm, ReLU()])), "track_running_stats=T")
