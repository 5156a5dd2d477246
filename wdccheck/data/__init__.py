"""The bundled trained generator: handwritten digits of 8 x 8 pixels from three latent dimensions."""

from __future__ import annotations

from importlib.resources import as_file, files

from wdccheck.weights.files import read_network
from wdccheck.weights.network import ReLUNetwork

__all__ = ["DIGITS_ERROR", "generator"]

DIGITS_ERROR = {"generator_mse": 0.0244, "pca3_mse": 0.0444}
"""Mean squared error per pixel, pixels in [0, 1], over the 360 test images that training never
saw, each reconstructed from its best code: by the generator, and by the mean and the three
principal components of the same training images. ``python -m wdccheck.data.digits`` prints it."""


def generator() -> ReLUNetwork:
    """The generator 3 -> 32 -> 64 trained by :mod:`wdccheck.data.digits` on scikit-learn's digits.

    Examples
    --------
    >>> generator().dims
    (3, 32, 64)
    """
    with as_file(files(__name__) / "digits.npz") as path:
        return ReLUNetwork(read_network(path).layers)  # its origin is this package
