"""Cell arrays of MATLAB: layers in the order of the cells; damaged ones, bombs and other contents refused."""

from __future__ import annotations

import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.io import savemat

from examples.refusals import refused
from examples.weight_files import put, read_or_refused
from wdccheck.weights.files import read_network

RNG = np.random.default_rng(1)
LAYERS = [RNG.standard_normal(shape) for shape in ((5, 2), (6, 5), (7, 6), (8, 7))]
BIASES = [RNG.standard_normal((len(W), 1)) for W in LAYERS]


def cell(values, shape=None):
    made = np.empty(shape or (1, len(values)), object)
    for i, value in enumerate(values):
        made.flat[i] = value
    return made


@pytest.mark.parametrize("compressed", [True, False])
@pytest.mark.parametrize(("count", "shape"), [(4, None), (4, (4, 1)), (1, None), (2, None)])
def test_layers_in_the_order_of_the_cell(tmp_path, compressed, count, shape):
    path = tmp_path / "net.mat"
    savemat(path, {"weights": cell(LAYERS[:count], shape)}, do_compression=compressed)
    net = read_network(path)
    assert all(np.array_equal(a, b) for a, b in zip(net.layers, LAYERS[:count], strict=True))
    assert net.origin.layers[0] == "array 'weights{1}' 5 x 2"


def test_biases_and_types_of_cells(tmp_path):
    path = tmp_path / "net.mat"
    single = [W.astype("f4") for W in LAYERS]
    savemat(path, {"weights": cell(single), "biases": cell(BIASES)})
    refused(lambda: read_network(path), "a bias of array 'weights{1}'", "--lift-bias")
    net = read_network(path, lift_bias=True)
    x = RNG.standard_normal(2)
    wanted = x
    for W, b in zip(single, BIASES, strict=True):
        wanted = np.maximum(W @ wanted + b[:, 0], 0)
    np.testing.assert_allclose(net([*x, 1.0]), wanted, rtol=1e-12)
    assert read_network(path, arrays="weights{2}", ignore_bias=True).dims == (5, 6)
    twelve = [np.eye(3) * i for i in range(1, 13)]
    savemat(path, {"W": cell(twelve)})  # W{2} before W{10}
    assert [float(W[0, 0]) for W in read_network(path).layers] == list(range(1, 13))


@pytest.mark.parametrize(("values", "fragment"), [
    ([LAYERS[0], "text"], "array 'weights{2}': a full array"), ([LAYERS[0], np.zeros((0, 0))], "weights{2}"),
    ([cell([LAYERS[0]])], "found a cell array"), ([LAYERS[0] * 1j], "complex"), ([{"a": 1.0}], "a struct"),
])
def test_cells_of_other_things(tmp_path, values, fragment):
    savemat(tmp_path / "net.mat", {"weights": cell(values)})
    refused(lambda: read_network(tmp_path / "net.mat"), fragment)


def test_bombs(tmp_path):
    """Cells that claim, or inflate to, more than there is room for."""
    head = b"MATLAB 5.0 MAT-file".ljust(124) + b"\x00\x01IM"
    flags = struct.pack("<IIII", 6, 8, 1, 0) + struct.pack("<II", 5, 8) + struct.pack("<ii", 1, 1)
    name = struct.pack("<II", 1, 8) + b"weights\0"
    for size in (2**26, 2**27 + 8, 2**31):
        claim = struct.pack("<II", 14, size)
        data = zlib.compress(claim + flags + name + struct.pack("<II", 14, size - 64))
        element = struct.pack("<II", 15, len(data)) + data
        read_or_refused(put(tmp_path, "net.mat", head + element))
    inner = struct.pack("<II", 14, 0) * 5000
    body = flags + name + inner
    path = put(tmp_path, "net.mat", head + struct.pack("<II", 14, len(body)) + body)
    refused(lambda: read_network(path), "at most 1024")


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_damaged_cells_are_read_or_refused(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("cells") / "net.mat"
    savemat(path, {"weights": cell(LAYERS), "biases": cell(BIASES)}, do_compression=data.draw(st.booleans()))
    damaged = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(120, len(damaged) - 1))
        damaged[at:at + data.draw(st.integers(0, 4))] = data.draw(st.binary(max_size=4))
    path.write_bytes(bytes(damaged))
    read_or_refused(path)
