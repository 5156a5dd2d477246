"""The R2WDC written out: in floats, and exactly."""

from __future__ import annotations

from fractions import Fraction

import mpmath
import numpy as np

from examples.definitions import exact_dot, fractions, plain_a, plain_q
from examples.networks import exact_image

LETTERS = ("x", "y", "x1", "x2", "x3", "x4")


def plain(net, layer, alpha, point):
    """The definition."""
    before = net.truncate(layer - 1) if layer > 1 else (lambda x: x)
    r, s = before(point["x"]), before(point["y"])
    u, v = before(point["x1"]) - before(point["x2"]), before(point["x3"]) - before(point["x4"])
    lengths = np.linalg.norm(u) * np.linalg.norm(v)
    if not (lengths and r.any() and s.any()):
        return 0.0
    D = plain_a(net.layers[layer - 1], r, s) - alpha * plain_q(r, s)
    return abs(u @ D @ v) / lengths


def exact(net, layer, alpha, point):
    """The deviation of the stored floats, as an mpf."""
    before = net.layers[: layer - 1]
    r, s, *images = (exact_image(before, point[x]) if before else fractions(point[x]) for x in LETTERS)
    u, v = ([a - b for a, b in zip(images[i], images[i + 1], strict=True)] for i in (0, 2))
    square = exact_dot(u, u) * exact_dot(v, v)
    if not (square and any(r) and any(s)):
        return mpmath.mpf(0)
    gram = Fraction(0)
    for w in fractions(net.layers[layer - 1]):
        if exact_dot(w, r) > 0 and exact_dot(w, s) > 0:
            gram += exact_dot(w, u) * exact_dot(w, v)
    r, s, u, v = ([mpmath.mpf(x.numerator) / x.denominator for x in w] for w in (r, s, u, v))

    def dot(x, y):
        return mpmath.fsum(a * b for a, b in zip(x, y, strict=True))

    r, s = ([a / mpmath.sqrt(dot(x, x)) for a in x] for x in (r, s))
    b, d = [p + q for p, q in zip(r, s, strict=True)], [p - q for p, q in zip(r, s, strict=True)]
    theta = 2 * mpmath.atan2(mpmath.sqrt(dot(d, d)), mpmath.sqrt(dot(b, b)))
    swap = sum(sign * dot(u, w) * dot(v, w) / dot(w, w) for w, sign in ((b, 1), (d, -1)) if dot(w, w))
    q = ((mpmath.pi - theta) * dot(u, v) + mpmath.sin(theta) * swap) / (2 * mpmath.pi)
    top = mpmath.mpf(gram.numerator) / gram.denominator - alpha * q
    return abs(top) / mpmath.sqrt(dot(u, u) * dot(v, v))
