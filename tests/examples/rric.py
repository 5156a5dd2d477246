"""The RRIC written out: in floats, and exactly; random instances."""

from __future__ import annotations

from fractions import Fraction

import mpmath
import numpy as np

import wdccheck as wc
from examples.definitions import fractions
from examples.networks import exact_image, network

LETTERS = ("x1", "x2", "x3", "x4")


def instance(seed, dims=(2, 6, 8), m=5):
    rng = np.random.default_rng(seed)
    net = wc.ReLUNetwork(network(rng, dims))
    return rng, net, rng.standard_normal((m, dims[-1])) / np.sqrt(m)


def random_points(rng, k, n=40):
    return dict(zip(LETTERS, rng.standard_normal((4, n, k)), strict=True))


def plain(A, net, point):
    """The definition."""
    u, v = net(point["x1"]) - net(point["x2"]), net(point["x3"]) - net(point["x4"])
    lengths = np.linalg.norm(u) * np.linalg.norm(v)
    return abs((A @ u) @ (A @ v) - u @ v) / lengths if lengths else 0.0


def exact(A, net, point):
    """The deviation of the stored floats, as an mpf."""
    images = [exact_image(net.layers, point[x]) for x in LETTERS]
    u, v = ([a - b for a, b in zip(images[i], images[i + 1], strict=True)] for i in (0, 2))
    Au, Av = ([sum((a * b for a, b in zip(row, w, strict=True)), Fraction(0)) for row in fractions(A)]
              for w in (u, v))

    def dot(x, y):
        return sum((a * b for a, b in zip(x, y, strict=True)), Fraction(0))

    top, square = abs(dot(Au, Av) - dot(u, v)), dot(u, u) * dot(v, v)
    if not square:
        return mpmath.mpf(0)
    return mpmath.mpf(top.numerator) / top.denominator / mpmath.sqrt(
        mpmath.mpf(square.numerator) / square.denominator)
