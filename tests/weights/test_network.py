"""ReLU networks: forward, Jacobians, PyTorch modules, what is refused."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wdccheck import InvalidInput, ReLUNetwork

W1 = np.array([[1.0, 2.0], [-1.0, 0.5], [0.0, -3.0]])
W2 = np.array([[1.0, -1.0, 2.0]])


def network(rng, dims):
    return ReLUNetwork([rng.standard_normal(shape) for shape in zip(dims[1:], dims, strict=False)])


dims = st.lists(st.integers(1, 6), min_size=2, max_size=5)


def test_attributes():
    net = ReLUNetwork([W1, W2])
    assert net.dims == (2, 3, 1) and net.depth == 2 and isinstance(net.layers, tuple)
    assert repr(net) == f"ReLUNetwork(dims=(2, 3, 1), sha256={net.sha256[:8]})"
    assert net.sha256 != ReLUNetwork([W1, 2 * W2]).sha256 and len(net.sha256) == 64
    assert not any(W.flags.writeable for W in net.layers)


def test_layers_are_copies():
    mine = W1.copy()
    net = ReLUNetwork([mine])
    mine[:] = 0
    np.testing.assert_array_equal(net.layers[0], W1)
    with pytest.raises(AttributeError):
        net.layers = ()


def test_forward_by_hand():
    net = ReLUNetwork([W1, W2])
    np.testing.assert_array_equal(net([1.0, 1.0]), [3.0])  # hidden 3, 0, 0
    np.testing.assert_array_equal(net([-1.0, -1.0]), [5.5])  # hidden 0, 1/2, 3
    assert net(np.ones((4, 5, 2))).shape == (4, 5, 1) and net(np.ones((0, 2))).shape == (0, 1)


@given(st.integers(0, 2**32), dims)
def test_forward_is_the_jacobian_and_homogeneous(seed, dims):
    rng = np.random.default_rng(seed)
    net, x = network(rng, dims), rng.standard_normal((3, 2, dims[0]))
    for j in range(1, net.depth + 1):
        part, J = net.truncate(j), net.jacobian(x, j)
        assert J.shape == (3, 2, dims[j], dims[0]) and part.dims == tuple(dims[: j + 1])
        np.testing.assert_allclose((J @ x[..., None])[..., 0], part(x), rtol=1e-9, atol=1e-9)
    np.testing.assert_array_equal(net.jacobian(x), net.jacobian(x, net.depth))
    np.testing.assert_array_equal(net(4 * x), 4 * net(x))


def test_jacobian_gates_are_strict_and_layer_0_is_the_identity():
    net = ReLUNetwork([[[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]])
    np.testing.assert_array_equal(net.jacobian([1.0, 0.0]), [[1, 0], [0, 0], [1, 1]])
    np.testing.assert_array_equal(net.jacobian([0.0, 0.0]), np.zeros((3, 2)))
    np.testing.assert_array_equal(net.jacobian([0.0, 0.0], 0), np.eye(2))


def test_jacobian_is_the_derivative():
    rng = np.random.default_rng(0)
    net, x, t = network(rng, (3, 8, 5)), rng.standard_normal(3), rng.standard_normal(3)
    np.testing.assert_allclose((net(x + 1e-7 * t) - net(x)) / 1e-7, net.jacobian(x) @ t, atol=1e-6)


def test_pickle_keeps_the_arrays_read_only():
    net = ReLUNetwork([W1, W2])
    again = pickle.loads(pickle.dumps(net))
    assert again.sha256 == net.sha256 and not again.layers[1].flags.writeable


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ([], "layers: at least one weight matrix required, found none"),
        ({"0.weight": W1}, "layers: .* found a dictionary; its values in the order of the layers"),
        (3.0, "layers: a sequence of weight matrices required, found float"),
        ("W1", "layers: a sequence of weight matrices required, found str"),
        ([W1, [[np.nan]]], "layer 2: finite numbers required"),
        ([W1, [1.0, 2.0, 3.0]], r"layer 2: a matrix .* found shape \(3,\)"),
        ([W1, np.empty((0, 3))], "layer 2: a matrix"),
        ([W1, W2 + 1j], "layer 2: .* found dtype complex128"),
        ([W1, [["a"]]], "layer 2: .* found dtype <U1"),
        ([W1, np.array([[None]])], "layer 2: .* found dtype object"),
        ([W1, np.ones((1, 4))], r"layer 2: shape \(n_out, 3\) .*found shape \(1, 4\)$"),
        ([W1.T, W2.T], r"every layer: shape \(n_out, n_in\) expected; did you mean W.T\?"),
        ([W1, W2.T], r"found shape \(3, 1\); layer 2: shape \(n_out, n_in\) expected; did you mean W.T\?"),
        ([W1.T, W2], r"layer 1: shape \(n_out, n_in\) expected; did you mean W.T\?"),
    ],
)
def test_refuses(layers, message):
    with pytest.raises(InvalidInput, match=message):
        ReLUNetwork(layers)


@pytest.mark.parametrize("x", [[1.0], [1.0, np.inf], "ab", np.ones((2, 3)), 1.0])
def test_refuses_codes(x):
    with pytest.raises(InvalidInput, match=r"^x: "):
        ReLUNetwork([W1])(x)


@pytest.mark.parametrize("layer", [-1, 3, 1.0, True, None, "1"])
def test_refuses_layer_numbers(layer):
    net = ReLUNetwork([W1, W2])
    with pytest.raises(InvalidInput, match="layer: an integer from 1 to 2 required"):
        net.truncate(layer)
    if layer is not None:
        with pytest.raises(InvalidInput, match="layer: an integer from 0 to 2 required"):
            net.jacobian([1.0, 1.0], layer)
