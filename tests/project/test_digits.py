"""The bundled generator of digits: its figures, its training, its codes."""

from __future__ import annotations

import hashlib
from dataclasses import asdict
from importlib.resources import files

import numpy as np
import pytest

from wdccheck.data import DIGITS_ERROR, digits, generator
from wdccheck.data.digits import _gradients, balance, codes, evaluate, images, main, pca, train


@pytest.fixture(scope="module")
def sets():
    return images()


def test_the_packaged_file_is_small():
    net = generator()
    assert net.dims == (3, 32, 64)
    assert len(files("wdccheck.data").joinpath("digits.npz").read_bytes()) <= 100_000


@pytest.mark.slow
def test_the_stated_errors(sets):
    figures = evaluate(generator(), *sets)
    assert figures.test_mse == pytest.approx(DIGITS_ERROR["generator_mse"], abs=1e-4)
    assert figures.pca_test_mse == pytest.approx(DIGITS_ERROR["pca3_mse"], abs=1e-4)
    assert figures.test_mse < 0.6 * figures.pca_test_mse
    assert figures.dead_hidden == figures.dead_pixels == 0


def test_the_split(sets):
    training, test = sets
    assert training.shape == (1437, 64) and test.shape == (360, 64)
    assert min(training.min(), test.min()) == 0 and max(training.max(), test.max()) == 1
    hashes = [{hashlib.sha256(x.tobytes()).digest() for x in part} for part in sets]
    assert not hashes[0] & hashes[1]


def test_layer_1_is_in_radial_isotropic_position():
    W1 = generator().layers[0]
    np.testing.assert_allclose(W1.T @ W1, np.eye(3), atol=1e-9)
    np.testing.assert_allclose(np.linalg.norm(W1, axis=1), np.sqrt(3 / 32), rtol=1e-9)


def test_balance_keeps_the_range():
    rng = np.random.default_rng(0)
    W1, W2, z = rng.standard_normal((9, 2)), rng.standard_normal((5, 9)), rng.standard_normal((20, 2))
    net = balance(W1, W2)
    scale = W2[0] / net.layers[1][0]  # balanced W1 = scale * W1 @ T
    T = np.linalg.lstsq(W1, net.layers[0] / scale[:, None], rcond=None)[0]
    np.testing.assert_allclose(W1 @ T, net.layers[0] / scale[:, None], atol=1e-9)
    expected = np.maximum(np.maximum(z @ (W1 @ T).T, 0) @ W2.T, 0)
    np.testing.assert_allclose(net(z), expected, atol=1e-9)


def test_gradients_against_differences():
    rng = np.random.default_rng(0)
    shapes = [(5, 7), 5, (3, 5), 3, (6, 3), (7, 6)]
    parameters, x = [rng.standard_normal(shape) for shape in shapes], rng.random((4, 7))

    def loss(parameters):
        A, a, B, b, W1, W2 = parameters
        output = np.maximum((np.maximum(x @ A.T + a, 0) @ B.T + b) @ W1.T, 0) @ W2.T
        return np.sum((np.where(output > 0, output, 0.2 * output) - x) ** 2) / len(x)

    for i, gradient in enumerate(_gradients(parameters, x, 0.2)):
        t = rng.standard_normal(gradient.shape)
        ends = [[*parameters[:i], parameters[i] + h * t, *parameters[i + 1:]] for h in (1e-6, -1e-6)]
        assert np.sum(gradient * t) == pytest.approx((loss(ends[0]) - loss(ends[1])) / 2e-6, rel=1e-5)


def test_codes_recover_images_of_the_generator():
    net = generator()
    wanted = net(np.random.default_rng(7).standard_normal((50, 3)))
    error = np.mean((net(codes(net, wanted)) - wanted) ** 2, axis=1)
    assert np.median(error) < 1e-6 * np.mean(wanted**2)


def test_pca_with_all_components_is_exact(sets):
    training, test = sets
    np.testing.assert_allclose(pca(training, training[:9], 64), training[:9], atol=1e-12)
    assert np.mean((pca(training, test) - test) ** 2) < test.var()


def test_training_is_fixed_by_its_seed(sets):
    few = sets[0][:128]
    first = train(few, rng=3, epochs=2)
    assert first.sha256 == train(few, rng=3, epochs=2).sha256 != train(few, rng=4, epochs=2).sha256


def test_the_command(tmp_path, capsys, sets, monkeypatch):
    monkeypatch.setattr(digits, "images", lambda: (sets[0][:128], sets[1][:40]))
    path = tmp_path / "net.npz"
    figures = main(["--out", str(path), "--epochs", "4"])
    printed = capsys.readouterr().out
    assert f"{figures.test_mse:.4f}" in printed and f"{figures.pca_test_mse:.4f}" in printed
    assert sorted(np.load(path)) == ["W1", "W2"] and all(v >= 0 for v in asdict(figures).values())
