"""The coherence written out: in floats, and exactly; random instances and isometries of every kind."""

from __future__ import annotations

from fractions import Fraction

import mpmath
import numpy as np

import wdccheck as wc
from examples.definitions import exact_dot, fractions
from examples.networks import exact_image, network

LETTERS = ("x1", "x2")


def fourier(n):
    return np.fft.fft(np.eye(n), norm="ortho")


def orthonormal(rng, m, n):
    """Orthonormal rows, or columns where m > n."""
    Q = np.linalg.qr(rng.standard_normal((max(m, n), min(m, n))))[0]
    return Q if m > n else Q.T


def unitary_columns(rng, m, n):
    return np.linalg.qr(rng.standard_normal((m, n)) + 1j * rng.standard_normal((m, n)))[0]


ISOMETRIES = {
    "identity": lambda rng, n: np.eye(n),
    "rows": lambda rng, n: orthonormal(rng, max(1, n // 2), n),
    "one row": lambda rng, n: orthonormal(rng, 1, n),
    "square": lambda rng, n: orthonormal(rng, n, n),
    "columns": lambda rng, n: orthonormal(rng, 2 * n, n),
    "fourier": lambda rng, n: fourier(n),
    "rows of fourier": lambda rng, n: fourier(n)[rng.permutation(n)[: max(1, n // 2)]],
    "one complex row": lambda rng, n: fourier(n)[1 % n][None],
    "complex columns": lambda rng, n: unitary_columns(rng, n + 3, n),
}
"""Name to a factory (rng, n) -> U of shape (m, n)."""


def instance(seed, dims=(2, 6, 8), kind="rows"):
    rng = np.random.default_rng(seed)
    net = wc.ReLUNetwork(network(rng, dims))
    return rng, net, ISOMETRIES[kind](rng, dims[-1])


def random_points(rng, k, n=40):
    return dict(zip(LETTERS, rng.standard_normal((2, n, k)), strict=True))


def plain(U, net, point):
    """The definition."""
    u = net(point["x1"]) - net(point["x2"])
    length = np.linalg.norm(u)
    return np.abs(U @ u).max() / length if length else 0.0


def exact(U, net, point):
    """The deviation of the stored floats, as an mpf."""
    one, two = (exact_image(net.layers, point[x]) for x in LETTERS)
    u = [a - b for a, b in zip(one, two, strict=True)]
    square = exact_dot(u, u)
    if not square:
        return mpmath.mpf(0)
    rows = zip(fractions(U.real), fractions(U.imag), strict=True)
    top = max((exact_dot(re, u) ** 2 + exact_dot(im, u) ** 2) / square for re, im in rows)
    return mpmath.sqrt(mpmath.mpf(Fraction(top).numerator) / Fraction(top).denominator)
