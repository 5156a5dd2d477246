"""Train the bundled generator: ``python -m wdccheck.data.digits --out digits.npz``.

A bias-free ReLU decoder 3 -> 32 -> 64 with a ReLU at the output, trained as one half of an
autoencoder on scikit-learn's digits (8 x 8 pixels, scaled to [0, 1]) by Adam. The encoder, which
may have biases, is dropped. The slope of the output below zero falls from 0.3 to 0 in the first
half of the training, so that no pixel dies at the start. The result is written in the form of
:func:`balance`, which leaves the set of images it can generate as it is. Needs the extra
``[examples]``; NumPy alone does the training, and a seed fixes it.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from wdccheck.weights.network import ReLUNetwork

__all__ = ["Figures", "balance", "codes", "evaluate", "images", "pca", "train"]

LATENT, WIDTH, PIXELS, ENCODER_WIDTH = 3, 32, 64, 128
EPOCHS, BATCH, RATE, SLOPE = 600, 64, 3e-3, 0.3
TRAINING_IMAGES = 1437  # of 1797; the others are the test images


@dataclass(frozen=True)
class Figures:
    """What the generator is worth: errors per pixel, and units that never open.

    Attributes
    ----------
    train_mse, test_mse : float
        Mean squared error of the generator at the best codes found.
    pca_train_mse, pca_test_mse : float
        The same of the mean and three principal components of the training images.
    dead_hidden, dead_pixels : int
        Hidden units and pixels that are zero at 20 000 random codes.
    """

    train_mse: float
    test_mse: float
    pca_train_mse: float
    pca_test_mse: float
    dead_hidden: int
    dead_pixels: int


def images(rng: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Training images (1437, 64) and test images (360, 64), pixels in [0, 1]."""
    from sklearn.datasets import load_digits

    every = np.asarray(load_digits().data, dtype=np.float64) / 16.0
    order = np.random.default_rng(rng).permutation(len(every))
    return every[order[:TRAINING_IMAGES]], every[order[TRAINING_IMAGES:]]


def train(data: np.ndarray, rng: int | np.random.Generator = 0, epochs: int = EPOCHS) -> ReLUNetwork:
    """The decoder of an autoencoder trained on `data` of shape (N, 64), balanced."""
    rng = np.random.default_rng(rng)
    parameters = [
        rng.normal(0.0, np.sqrt(2 / PIXELS), (ENCODER_WIDTH, PIXELS)), np.zeros(ENCODER_WIDTH),
        rng.normal(0.0, np.sqrt(1 / ENCODER_WIDTH), (LATENT, ENCODER_WIDTH)), np.zeros(LATENT),
        rng.normal(0.0, np.sqrt(2 / LATENT), (WIDTH, LATENT)),
        rng.normal(0.0, np.sqrt(1 / WIDTH), (PIXELS, WIDTH)),
    ]
    optimizer = _Adam(parameters)
    batches = -(-len(data) // BATCH)
    for epoch in range(epochs):
        for i, batch in enumerate(np.array_split(rng.permutation(len(data)), batches)):
            done = (epoch + i / batches) / epochs
            slope = SLOPE * max(0.0, 1 - 2 * done)
            rate = RATE * 0.5 * (1 + np.cos(np.pi * done))
            optimizer.step(_gradients(parameters, data[batch], slope), rate)
    return balance(parameters[4], parameters[5])


def balance(W1: np.ndarray, W2: np.ndarray) -> ReLUNetwork:
    """The same generator up to the choice of latent coordinates, W1 in radial isotropic position.

    A hidden unit times c > 0 in W1 (n, k) and over c in W2 changes nothing, since relu is
    positively homogeneous; an invertible map of the latent space changes the code of an image, not
    the range. Both together make ``W1.T @ W1 = I`` with rows of equal norm, as Gaussian rows are
    on average.
    """
    n, k = W1.shape
    rows, scale = W1, np.ones((n, 1))  # rows = scale * (W1 @ T), T the change of coordinates
    for _ in range(500):
        factor = np.sqrt(k / n) / np.linalg.norm(rows, axis=1, keepdims=True)
        rows, scale = rows * factor, scale * factor
        values, vectors = np.linalg.eigh(rows.T @ rows)
        rows = rows @ (vectors / np.sqrt(values)) @ vectors.T
    return ReLUNetwork((rows, W2 / scale.T))


def codes(net: ReLUNetwork, data: np.ndarray, directions: int = 2000, steps: int = 200) -> np.ndarray:
    """Codes (N, k) whose images are close to `data` (N, n_d), without an encoder.

    The best of random directions, each at its best scale (one quotient, since G(cz) = c G(z)),
    then Adam on the squared error; the best code on the way is kept.
    """
    z: np.ndarray = np.random.default_rng(0).standard_normal((directions, net.dims[0]))
    drawn = net(z)
    product, norm = np.maximum(data @ drawn.T, 0.0), np.sum(drawn**2, axis=1)
    scale = np.divide(product, norm, out=np.zeros_like(product), where=norm > 0)
    chosen = np.argmax(scale * product, axis=1)
    z = z[chosen] * np.take_along_axis(scale, chosen[:, None], axis=1)
    best, least = z.copy(), np.full(len(data), np.inf)
    optimizer, rate = _Adam([z]), 0.02 * np.sqrt(np.mean(z**2))
    for _ in range(steps):
        residual = net(z) - data
        error = np.sum(residual**2, axis=1)
        better = error < least
        best[better], least[better] = z[better], error[better]
        gradient = np.einsum("bnk,bn->bk", net.jacobian(z), residual)
        optimizer.step([gradient], rate)  # moves z in place
    return best


def pca(training: np.ndarray, data: np.ndarray, components: int = LATENT) -> np.ndarray:
    """`data` reconstructed from the mean and the principal components of `training`."""
    mean = training.mean(axis=0)
    axes = np.linalg.svd(training - mean, full_matrices=False)[2][:components]
    return np.asarray(mean + (data - mean) @ axes.T @ axes)


def evaluate(net: ReLUNetwork, training: np.ndarray, test: np.ndarray) -> Figures:
    """The errors of `net` and of PCA on both sets, and the units of `net` that never open."""
    z = np.random.default_rng(1).standard_normal((20_000, net.dims[0]))

    def dead(network: ReLUNetwork) -> int:
        return int(np.sum(~(network(z) > 0).any(axis=0)))

    return Figures(
        train_mse=_mse(net(codes(net, training)), training),
        test_mse=_mse(net(codes(net, test)), test),
        pca_train_mse=_mse(pca(training, training), training),
        pca_test_mse=_mse(pca(training, test), test),
        dead_hidden=dead(net.truncate(1)), dead_pixels=dead(net),
    )


class _Adam:
    """Adam (Kingma and Ba, 2015) on arrays, changed in place."""

    def __init__(self, parameters: list[np.ndarray]) -> None:
        self.parameters, self.count = parameters, 0
        self.first = [np.zeros_like(p) for p in parameters]
        self.second = [np.zeros_like(p) for p in parameters]

    def step(self, gradients: list[np.ndarray], rate: float) -> None:
        self.count += 1
        for p, g, m, v in zip(self.parameters, gradients, self.first, self.second, strict=True):
            m += 0.1 * (g - m)
            v += 0.001 * (g * g - v)
            root = np.sqrt(v / (1 - 0.999**self.count)) + 1e-8
            p -= rate * (m / (1 - 0.9**self.count)) / root


def _gradients(parameters: list[np.ndarray], x: np.ndarray, slope: float) -> list[np.ndarray]:
    """The gradient of the squared error per image; the output is max(p, slope * p)."""
    A, a, B, b, W1, W2 = parameters
    inner = np.maximum(x @ A.T + a, 0.0)
    z = inner @ B.T + b
    hidden = np.maximum(z @ W1.T, 0.0)
    output = hidden @ W2.T
    gate = np.where(output > 0, 1.0, slope)
    to_output = 2 / len(x) * (output * gate - x) * gate
    to_hidden = (to_output @ W2) * (hidden > 0)
    to_code = to_hidden @ W1
    to_inner = (to_code @ B) * (inner > 0)
    return [to_inner.T @ x, to_inner.sum(axis=0), to_code.T @ inner, to_code.sum(axis=0),
            to_hidden.T @ z, to_output.T @ hidden]


def _mse(found: np.ndarray, wanted: np.ndarray) -> float:
    return float(np.mean((found - wanted) ** 2))


def _draw(net: ReLUNetwork, training: np.ndarray, test: np.ndarray, path: str) -> None:
    """Test digits, their reconstructions, and images of random codes, as one figure."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    columns = 12
    z = codes(net, training)
    drawn = np.random.default_rng(0).multivariate_normal(z.mean(axis=0), np.cov(z.T), 2 * columns)
    some, samples = test[:columns], net(drawn)
    rows = [("test digit", some), ("generator", net(codes(net, some))), ("PCA-3", pca(training, some)),
            ("random code", samples[:columns]), ("", samples[columns:])]
    figure = Figure(figsize=(columns * 0.6 + 1.1, len(rows) * 0.62))
    FigureCanvasAgg(figure)
    axes = figure.subplots(len(rows), columns)
    for line, (label, pictures) in zip(axes, rows, strict=True):
        line[0].set_ylabel(label, rotation=0, ha="right", va="center", fontsize=10)
        for cell, picture in zip(line, pictures, strict=True):
            cell.imshow(picture.reshape(8, 8), cmap="gray_r", vmin=0, vmax=1)
            cell.set(xticks=[], yticks=[])
    figure.subplots_adjust(left=0.13, right=0.99, top=0.98, bottom=0.02, wspace=0.08, hspace=0.08)
    figure.savefig(path, dpi=110)


def main(arguments: Sequence[str] | None = None) -> Figures:
    """Train, print what the generator is worth, write it; the command line of this module."""
    parser = argparse.ArgumentParser(prog="python -m wdccheck.data.digits",
                                     description="Train the bundled generator of handwritten digits.")
    parser.add_argument("--out", metavar="FILE.npz", required=True, help="where the weights go")
    parser.add_argument("--figure", metavar="FILE.png", help="draw digits, reconstructions and samples")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    options = parser.parse_args(arguments)
    training, test = images()
    net = train(training, options.seed, options.epochs)
    figures = evaluate(net, training, test)
    np.savez(options.out, W1=net.layers[0], W2=net.layers[1])
    if options.figure:
        _draw(net, training, test, options.figure)
    print(f"""{net}
mean squared error per pixel   train    test
generator                      {figures.train_mse:.4f}   {figures.test_mse:.4f}
PCA, {LATENT} components              {figures.pca_train_mse:.4f}   {figures.pca_test_mse:.4f}
units that never open: {figures.dead_hidden} of {WIDTH} hidden, {figures.dead_pixels} of {PIXELS} pixels""")
    return figures


if __name__ == "__main__":
    main()
