"""Spans of range differences: every difference lies in them, and in their cones."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from scipy.optimize import linprog

from wdccheck.ranges.cone_pairs import ConePairs, pencil
from wdccheck.ranges.cone_rows import joined_cones

NETWORKS = {
    "one layer": (2, 9),
    "two layers": (2, 5, 8),
    "three layers": (2, 4, 5, 7),
    "k = 1": (1, 4, 6),
    "k = 3, one layer": (3, 9),
    "k = 3": (3, 7, 6),
    "k = 3, narrow": (3, 4, 3),
}


def network(seed, dims, kind=""):
    rng = np.random.default_rng(seed)
    layers = [rng.standard_normal((n, k)) / np.sqrt(n) for k, n in pairwise(dims)]
    if kind == "dead":  # units of the first and of the last layer that never open, and repeated ones
        layers[0][0], layers[-1][1] = 0.0, -np.abs(layers[-1][1])
        layers[0][-1] = layers[0][1] if dims[0] < 3 else -layers[0][1]
    return layers


def forward(layers, x):
    gates = []
    for W in layers:
        gates.append(W @ x > 0)
        x = np.maximum(W @ x, 0.0)
    return x, gates


class Leaves:
    """The leaf of a latent direction, and the nodes above it."""

    def __init__(self, pairs):
        self.tree, self.layers = pairs.tree, pairs.layers
        leaves = np.flatnonzero(self.tree.children[:, 0] < 0)
        own = np.concatenate([g[leaves] for g in self.tree.opened], axis=1)
        self.numbers = {row.tobytes(): int(leaf) for row, leaf in zip(own, leaves, strict=True)}

    def of(self, x):
        return self.numbers[np.concatenate(forward(self.layers, x)[1]).tobytes()]

    def above(self, leaf):
        first = self.tree.first[leaf]
        return np.flatnonzero((self.tree.first <= first) & (first < self.tree.last))


def represents(span, b, u, cone):
    """Whether columns @ z = u for some z with cone @ z >= 0, all up to 1e-9 of the sizes met."""
    M = span.columns[b]
    scale = np.linalg.norm(u)
    n, p = M.shape
    # least s with |M z - u/scale| <= s and cone z >= -s
    c = np.append(np.zeros(p), 1.0)
    one = np.ones((n, 1))
    rows = np.vstack([np.hstack([M, -one]), np.hstack([-M, -one]),
                      np.hstack([-cone, -np.ones((len(cone), 1))])])
    right = np.concatenate([u / scale, -u / scale, np.zeros(len(cone))])
    found = linprog(c, rows, right, bounds=[(-1e6, 1e6)] * p + [(0, None)], method="highs")
    assert found.status == 0
    return found.fun < 1e-7


def checked(layers, k, rng, chosen, most=40, last=False, distance=None):
    """How many random differences lie in the spans of their nodes, and how many other vectors do not."""
    pairs = ConePairs.of(layers, k)
    leaves = Leaves(pairs)
    points = []
    for _ in range(25):
        x1, x2 = rng.standard_normal((2, k)) * 10 ** rng.uniform(-1, 1, (2, 1))
        if distance is not None:
            x2 = x1 + distance * rng.standard_normal(k)
        u = forward(layers, x1)[0] - forward(layers, x2)[0]
        if np.linalg.norm(u) > 1e-6 * np.linalg.norm(x1):
            nodes = [int(chosen(leaves.above(leaves.of(x)))) for x in (x1, x2)]
            points.append((nodes, u))
    tested = refused = 0
    way = "outputs" if last else "fewest"
    for span in pairs.spans(np.array([nodes for nodes, _ in points]), way, most):
        assert not (span.error > 1e-12).any()
        for b, owner in enumerate(span.owners):
            u = points[owner][1]
            assert any(represents(span, b, way * u, span.cone[b]) for way in (1, -1))
            tested += 1
            if span.cone[b].any():
                v = span.columns[b] @ rng.standard_normal(span.columns.shape[2])
                refused += not any(represents(span, b, way * v, span.cone[b]) for way in (1, -1))
    return tested, refused, len(points)


@pytest.mark.parametrize("kind", ["", "dead"])
@pytest.mark.parametrize("dims", NETWORKS.values(), ids=NETWORKS)
def test_differences_of_single_cones(dims, kind):
    rng = np.random.default_rng(len(dims))
    layers = network(1, dims, kind)
    tested, refused, count = checked(layers, dims[0], rng, lambda above: above[-1])
    assert tested == count > 0
    if len(dims) == 2 or dims == NETWORKS["two layers"]:
        assert refused > 0


@pytest.mark.parametrize("dims", NETWORKS.values(), ids=NETWORKS)
def test_differences_of_adjacent_cones(dims):
    rng = np.random.default_rng(7 + len(dims))
    checked(network(2, dims), dims[0], rng, lambda above: above[-1], distance=0.05)


@pytest.mark.parametrize("kind", ["", "dead"])
@pytest.mark.parametrize("dims", NETWORKS.values(), ids=NETWORKS)
def test_differences_of_groups(dims, kind):
    rng = np.random.default_rng(20 + len(dims))
    tested, _, _ = checked(network(3, dims, kind), dims[0], rng, rng.choice)
    assert tested > 0


@pytest.mark.parametrize("dims", NETWORKS.values(), ids=NETWORKS)
def test_the_coordinates_of_the_output(dims):
    """The second way, which is never dependent."""
    rng = np.random.default_rng(30 + len(dims))
    layers = network(4, dims)
    tested, _, count = checked(layers, dims[0], rng, lambda above: above[-1], most=dims[-1], last=True)
    assert tested == count


def test_too_many_columns_give_no_span():
    layers = network(0, (2, 6, 9))
    pairs = ConePairs.of(layers, 2)
    root = np.zeros((1, 2), dtype=int)
    assert pairs.spans(root, "fewest", 2) == []
    assert pairs.spans(root[:0]) == []
    assert len(pairs.spans(root, "fewest", 40)) == 1


def test_one_way_of_a_pair_is_enough():
    """The other order has the same differences but for the sign."""
    layers = network(5, (2, 5, 6))
    pairs, rng = ConePairs.of(layers, 2), np.random.default_rng(0)
    leaves = Leaves(pairs)
    for x1, x2 in rng.standard_normal((10, 2, 2)):
        nodes, u = np.array([[leaves.of(x2), leaves.of(x1)]]), forward(layers, x1)[0] - forward(layers, x2)[0]
        for span in pairs.spans(nodes, "fewest", 40):
            assert any(represents(span, 0, way * u, span.cone[0]) for way in (1, -1))


def test_a_dead_network_has_no_span():
    pairs = ConePairs.of([np.eye(2), -np.ones((3, 2))], 2)
    count = len(pairs.tree.children)
    nodes = np.stack(np.meshgrid(np.arange(count), np.arange(count)), axis=-1).reshape(-1, 2)
    for span in pairs.spans(nodes, "fewest", 40):
        assert not span.columns.any() or span.columns.shape[2] <= 4


def test_joined_cones():
    rng = np.random.default_rng(0)
    C, D, z, y = (rng.standard_normal(s) for s in ((3, 2, 4), (3, 5, 2), (3, 4), (3, 2)))
    both = np.einsum("bcp,bp->bc", joined_cones(C, D), np.concatenate([z, y], axis=1))
    np.testing.assert_allclose(both, np.concatenate([np.einsum("bcp,bp->bc", C, z),
                                                     np.einsum("bcp,bp->bc", D, y)], axis=1))


def test_a_pencil_is_the_quotient_on_the_span():
    rng = np.random.default_rng(1)
    layers = network(6, (2, 5, 8))
    pairs = ConePairs.of(layers, 2)
    H = rng.standard_normal((8, 8))
    H = H @ H.T
    nodes = np.flatnonzero(pairs.tree.children[:, 0] < 0)[rng.integers(0, 10, (20, 2))]
    for span in pairs.spans(nodes, "fewest", 40):
        count = len(span.owners)
        form = pencil(span, H @ span.columns, np.full(count, np.linalg.norm(H)), np.full(count, 1e-13))
        for b in range(count):
            for z in rng.standard_normal((5, span.columns.shape[2])):
                u = span.columns[b] @ z
                idle = z[~span.columns[b].any(axis=0)]
                assert z @ form.gram[b] @ z == pytest.approx(u @ u + idle @ idle)
                assert z @ form.form[b] @ z == pytest.approx(u @ H @ u)
        assert (form.gram_pad < 1e-10).all()
        assert (form.form_pad < 1e-10).all()
