"""What becomes part of a layer without an option, and what files beside a model hold."""

from __future__ import annotations

import runpy

import numpy as np
import pytest

from examples.weight_files import DATA
from wdccheck.weights.files import read_network
from wdccheck.weights.folding import Options, bias_free
from wdccheck.weights.readers.chain import Activation, Chain, Dense, Scale

D, RELU = Dense("layer", np.eye(2)), Activation("r", "relu")


@pytest.mark.parametrize(("steps", "W", "folded"), [
    ((D, Scale("s", np.full(2, 0.5), np.zeros(2)), RELU), 0.5, "s became part of layer, exactly"),
    ((D, Scale("s", np.full(2, 0.1), np.zeros(2)), RELU), 0.1, "s became part of layer, rounded to float64"),
    ((D, Scale("s", np.full(2, 0.5), np.zeros(2), rounded=True), RELU), 0.5, "rounded"),
    ((D, RELU, Scale("s", np.full(2, 3.0), np.zeros(2))), 3.0, "s became part of layer, exactly"),
    ((D, Activation("t", "tanh"), Scale("s", np.full(2, 3.0), np.ones(2))), 1.0, ""),
])
def test_scales_of_a_graph_become_part_of_a_layer_without_an_option(steps, W, folded):
    (layer,), used, said = bias_free(Chain("f", steps, ""), Options(last_activation="ignore"))
    np.testing.assert_array_equal(layer.W, W * np.eye(2))
    assert folded in " ".join(said) and bool(said) == bool(folded)
    assert bool(used) != bool(folded)  # an end that is no ReLU is ignored by the option only


def test_what_torch_exports_by_default_is_read_with_the_file_beside_it():
    values = runpy.run_path(str(DATA / "write.py"))["values"]()
    assert (DATA / "external.onnx.data").stat().st_size > 8000
    net = read_network(DATA / "external.onnx")
    np.testing.assert_array_equal(net.layers[0], np.tile(values["W1"], (16, 1)))
    np.testing.assert_array_equal(net.layers[1], np.tile(values["W2"], (11, 16)))
    assert "give what onnx gives for the graph at" in net.origin.checked
