"""Random networks, and their images in fractions."""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import pairwise

import numpy as np

import wdccheck as wc
from examples.definitions import fractions


def network(rng, dims):
    """Layers N(0, 1/n)."""
    return [rng.standard_normal((n, k)) / np.sqrt(n) for k, n in pairwise(dims)]


def exact_image(layers, x):
    """G(x) of the stored floats, as Fractions."""
    value = fractions(x)
    for W in layers:
        value = [max(sum((a * b for a, b in zip(row, value, strict=True)), Fraction(0)), Fraction(0))
                 for row in fractions(W)]
    return value


def generator(seed=0, dims=(2, 12, 8)):
    """The network that `certify` is tried on."""
    rng = np.random.default_rng(seed)
    return wc.ReLUNetwork([rng.standard_normal((n, k)) / math.sqrt(n) for k, n in pairwise(dims)])


A = np.random.default_rng(9).standard_normal((5, 8)) / math.sqrt(5)
"""Measurements of what :func:`generator` gives."""
