"""The one-sided isometry constants written out: in floats, and exactly, at points and over all cones."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np

import wdccheck as wc
from examples import fans
from examples.definitions import exact_dot, fractions
from examples.networks import exact_image, network
from examples.ray_cones import StoredRays, holds

LETTERS = ("x1", "x2")
SIDES = (wc.LowerIsometry, wc.UpperIsometry)


def instance(seed, dims=(2, 6, 8), m=5):
    rng = np.random.default_rng(seed)
    net = wc.ReLUNetwork(network(rng, dims))
    return rng, net, rng.standard_normal((m, dims[-1])) / np.sqrt(m)


def random_points(rng, k, n=40):
    return dict(zip(LETTERS, rng.standard_normal((2, n, k)), strict=True))


def ratio(A, net, point):
    """||A u||^2 / ||u||^2 of the stored floats, a Fraction; None where u is 0."""
    one, two = (exact_image(net.layers, point[x]) for x in LETTERS)
    u = [a - b for a, b in zip(one, two, strict=True)]
    seen = [exact_dot(row, u) for row in fractions(A)]
    return exact_dot(seen, seen) / exact_dot(u, u) if any(u) else None


def exact(side, A, net, point):
    """The deviation of the stored floats."""
    found = ratio(A, net, point)
    if found is None:
        return Fraction(0)
    if side is wc.UpperIsometry:
        return found
    floor = Fraction(1, 2**40) * Fraction(4) ** math.frexp(float(np.abs(A).max()))[1]
    return 1 / max(found, floor)


def range_cones(net):
    """The cones of images of a network with k <= 2, in integers, from exact cells; [] if the range is 0."""
    layers = [fans.exact(W) for W in net.layers]
    k = net.dims[0]
    rays = [(Fraction(1),), (Fraction(-1),)] if k == 1 else fans.fan(layers)
    images = [fans.image(layers, ray) for ray in rays]
    simplices = [[j] for j in range(len(rays))] if k == 1 else [
        [j, (j + 1) % len(rays)] for j in range(len(rays))]
    kept = [[j for j in simplex if any(images[j])] for simplex in simplices]
    kept = [simplex + [-1] * (k - len(simplex)) for simplex in kept if simplex]
    return kept and StoredRays.of(np.zeros((len(images), net.dims[-1])), kept, exactly=images)


def never_exceeded(side, A, net, epsilon):
    """Whether no difference has a larger deviation: Hadeler's test of all pairs of cones, exactly."""
    rows = np.array(fractions(A), dtype=object)
    gram, cones = rows.T @ rows, range_cones(net)
    if not cones:
        return True
    if side is wc.LowerIsometry:
        return holds(cones, -gram, -1 / Fraction(epsilon))
    return holds(cones, gram, Fraction(epsilon))
