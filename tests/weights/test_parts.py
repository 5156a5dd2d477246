"""Weights that a file holds as parts: put together and said, or refused with the call that does it."""

from __future__ import annotations

from collections import OrderedDict

import numpy as np
import pytest

import wdccheck as wc
from examples.refusals import refused
from examples.weight_files import put, torch_bytes

RNG = np.random.default_rng(0)
W1, W2 = RNG.standard_normal((8, 3)).astype("f4"), RNG.standard_normal((12, 8)).astype("f4")


def parts(kind, name, W):
    """The arrays that hold W, of a layer of this name, and W as it is then."""
    W = np.asarray(W, "f4")
    g = np.linalg.norm(W, axis=1, keepdims=True).astype("f4")
    v = (W * RNG.uniform(1, 9, (len(W), 1))).astype("f4")
    d = v.astype(float)
    u, s, vt = np.linalg.svd(W)
    mask = (RNG.random(W.shape) < 0.5).astype("f4")
    inner = f"{name}.parametrizations.weight"
    return {
        "old weight norm": ({f"{name}.weight_g": g, f"{name}.weight_v": v},
                            g * d / np.linalg.norm(d, axis=1, keepdims=True)),
        "weight norm": ({f"{inner}.original0": g, f"{inner}.original1": v},
                        g * d / np.linalg.norm(d, axis=1, keepdims=True)),
        "by columns": ({f"{name}.weight_g": np.full((1, W.shape[1]), g[0, 0]), f"{name}.weight_v": v},
                       g[0, 0] * d / np.linalg.norm(d, axis=0)),
        "of the whole": ({f"{name}.weight_g": g[0, 0], f"{name}.weight_v": v},
                         g[0, 0] * d / np.linalg.norm(d)),
        "old spectral norm": (
            {f"{name}.weight_orig": W, f"{name}.weight_u": u[:, 0], f"{name}.weight_v": vt[0]}, W / s[0]),
        "spectral norm": (
            {f"{inner}.original": W, f"{inner}.0._u": u[:, 0], f"{inner}.0._v": vt[0]}, W / s[0]),
        "pruning": ({f"{name}.weight_orig": W, f"{name}.weight_mask": mask}, W * mask),
    }[kind]


KINDS = ["old weight norm", "weight norm", "by columns", "of the whole", "old spectral norm", "spectral norm",
         "pruning"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("suffix", [".pt", ".npz"])
def test_weights_of_parts_are_put_together_and_said(tmp_path, kind, suffix):
    (first, one), (second, two) = parts(kind, "net.0", W1), parts(kind, "net.2", W2)
    data = {**first, "net.0.bias": np.ones(8), **second}
    if suffix == ".npz":
        np.savez(tmp_path / "net.npz", **data)
    else:
        put(tmp_path, "net.pt", torch_bytes(OrderedDict(data)))
    net = wc.read_network(tmp_path / f"net{suffix}", ignore_bias=True)
    for found, wanted in zip(net.layers, (one, two), strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-12 if "spectral" not in kind else 1e-5)
    (fold,) = net.origin.folded
    assert fold.startswith((kind.removeprefix("old "), "weight norm")) and fold in net.origin.to_text()
    assert "'net.0.weight' of 'net.0." in fold and "'net.2.weight' of 'net.2." in fold
    last = wc.read_network(tmp_path / f"net{suffix}", arrays="net.2.weight")
    np.testing.assert_array_equal(last.layers[0], net.layers[1])
    assert "net.0" not in last.origin.folded[0]


@pytest.mark.parametrize("scale", [1e-30, 1e30])
def test_a_weight_norm_does_not_overflow(tmp_path, scale):
    data = {"0.weight_g": np.full((8, 1), 2.0), "0.weight_v": W1.astype(float) * scale**10}
    np.savez(tmp_path / "net.npz", **data)
    wanted = 2 * W1 / np.linalg.norm(W1.astype(float), axis=1, keepdims=True)
    np.testing.assert_allclose(wc.read_network(tmp_path / "net.npz").layers[0], wanted, rtol=1e-14)


INNER = "0.parametrizations.weight"


@pytest.mark.parametrize(("arrays", "fragments"), [
    ({f"{INNER}.original": W1}, ["remove_parametrizations(module, 'weight')"]),
    ({f"{INNER}.original": W1, f"{INNER}.0.base": W1}, ["remove_parametrizations(module, 'weight')"]),
    ({f"{INNER}.original0": W1, f"{INNER}.original1": W2}, ["norm of '0.weight'", "(8, 3) and (12, 8)"]),
    ({"0.weight_v": W1}, ["remove_weight_norm(module)"]),
    ({"0.weight_orig": W1}, ["remove_spectral_norm(module)"]),
    ({"0.weight_orig": W1, "0.weight_u": np.ones(8)}, ["remove_spectral_norm(module)"]),
    ({"0.weight_orig": W1, "0.weight_u": np.ones(3), "0.weight_v": np.ones(8)}, ["its singular vectors"]),
    ({"0.weight_orig": W1, "0.weight_u": np.zeros(8), "0.weight_v": np.ones(3)}, ["not 0 beyond rounding"]),
    ({"0.weight_orig": W1, "0.weight_mask": W1}, ["zeros and ones", "other numbers"]),
    ({"0.weight_orig": W1, "0.weight_mask": W2}, ["of shape (8, 3) required, found shape (12, 8)"]),
    ({"0.weight_g": np.ones((8, 1)), "0.weight_v": 0 * W1}, ["a direction of zeros"]),
    ({"0.weight_g": np.full((8, 1), np.nan), "0.weight_v": W1}, ["finite numbers"]),
    ({"0.weight_g": np.ones((1, 1)), "0.weight_v": W1}, ["shapes (1, 1) and (8, 3)"]),
    ({"0.weight_g": np.ones((8, 3)), "0.weight_v": W1}, ["shapes (8, 3) and (8, 3)"]),
    ({"0.weight_g": np.ones(8), "0.weight_v": W1}, ["shapes (8,) and (8, 3)"]),
    ({"0.weight": W1, "0.weight_g": np.ones((8, 1)), "0.weight_v": W1}, ["remove_weight"]),
    ({"0.weight": W1, "0.lora_A.weight": np.ones((2, 3)), "0.lora_B.weight": np.ones((8, 2))},
     ["low-rank adapter", "merge_and_unload()"]),
    ({"0.weight": W1, "0.weight_scale": np.ones(())}, ["a quantized weight", "x.dequantize()"]),
    ({"rnn.weight_ih_l0": W1}, ["a recurrent layer"]), ({"attn.in_proj_weight": W1}, ["an attention layer"]),
])
def test_parts_that_make_no_weight_name_the_call_that_does(tmp_path, arrays, fragments):
    path = put(tmp_path, "net.pt", torch_bytes(OrderedDict(arrays)))
    refused(lambda: wc.read_network(path), *fragments)
