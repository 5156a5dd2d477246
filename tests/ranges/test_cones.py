"""Boxes of activation cones: as many patterns as Fact 15 counts, and none missed."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from math import comb

import numpy as np
import pytest

from examples.definitions import exact_dot, fractions
from wdccheck.ranges.cone_pairs import LATENT, ConePairs, one_per_pattern
from wdccheck.ranges.cones import linear_maps, pieces

_MOST = 500_000


def gaussian(seed, *dims):
    rng = np.random.default_rng(seed)
    return [rng.standard_normal((n, k)) for k, n in pairwise(dims)]


def keys(gates):
    """The patterns as a set of bytes, of gates (B, n_l) per layer."""
    return {row.tobytes() for row in np.packbits(np.concatenate(gates, axis=1), axis=1)}


def gates_at(layers, x):
    """The strict gates at the rows of x; sums that are 0 in exact arithmetic must be 0 in floats here."""
    found = []
    for W in layers:
        inputs = x @ W.T
        found.append(inputs > 0)
        x = np.maximum(inputs, 0.0)
    return found


def cover(k, n):
    """Fact 15."""
    return 2 * sum(comb(n - 1, j) for j in range(k))


@pytest.mark.parametrize(("k", "n"), [(1, 1), (1, 5), (2, 1), (2, 7), (2, 40), (3, 1), (3, 8), (3, 16)])
def test_a_generic_layer_has_as_many_cones_as_fact_15_counts(k, n):
    layers = gaussian(10 * k + n, k, n)
    assert len(keys(pieces(layers, k, 0.25, _MOST).gates)) == (cover(k, n) if k > 1 else 2)


def special(k, rng):
    """Layers of integers, so that points on walls are exact: repeated, opposite, parallel and zero rows."""
    W = rng.integers(-3, 4, (5, k)).astype(float)
    W = np.vstack([W, W[:1], -W[1:2], 2 * W[2:3], -0.5 * W[2:3], np.zeros(k)])
    return [W, rng.integers(-2, 3, (5, len(W))).astype(float)]


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("k", [1, 2, 3])
def test_no_pattern_is_missed(k, seed):
    rng = np.random.default_rng(seed)
    layers = special(k, rng) if seed % 2 else gaussian(seed, k, 6, 7)
    found = pieces(layers, k, 0.25, _MOST)
    x = np.concatenate([rng.standard_normal((3000, k)), rng.integers(-4, 5, (3000, k)).astype(float)])
    x = x[x.any(axis=1)]
    assert keys(gates_at(layers, x)) <= keys(found.gates)


@pytest.mark.parametrize("k", [2, 3])
def test_points_on_walls_and_where_walls_meet(k):
    rng = np.random.default_rng(k)
    W = rng.integers(-3, 4, (6, k)).astype(float)
    layers = [W, rng.integers(-2, 3, (4, 6)).astype(float)]
    x = np.stack([-W[:, 1], W[:, 0]], axis=1) if k == 2 else np.cross(W[:, None], W[None]).reshape(-1, 3)
    x = np.concatenate([x, -x])
    x = x[x.any(axis=1)]
    assert (x @ W.T == 0).any(axis=1).all()
    assert keys(gates_at(layers, x)) <= keys(pieces(layers, k, 0.25, _MOST).gates)


@pytest.mark.parametrize("k", [1, 2, 3])
def test_a_point_lies_in_a_box_with_its_gates(k):
    rng = np.random.default_rng(k)
    layers = gaussian(k, k, 5, 6)
    found = pieces(layers, k, 0.25, _MOST)
    x = rng.standard_normal((400, k))
    x /= np.abs(x).max(axis=1, keepdims=True)
    inside = np.all(np.abs(x[:, None] - found.center) <= found.half + 1e-12, axis=2)
    for number, gate in enumerate(gates_at(layers, x)):
        inside &= np.all(gate[:, None] == found.gates[number], axis=2)
    assert inside.any(axis=1).all()


def test_a_dead_layer_and_no_row_at_all():
    zero = pieces([np.zeros((3, 2))], 2, 0.25, _MOST)
    assert len(keys(zero.gates)) == 1
    assert not zero.gates[0].any()
    dead = pieces([np.eye(2), -np.ones((2, 2))], 2, 0.25, _MOST)
    assert len(keys(dead.gates[:1])) == 4
    assert not dead.gates[1].any()


def test_thin_cones_are_found():
    """A row beside another one, an ulp away: a cone of angle 1e-16 in which one of both is open."""
    W = np.array([[1.0, 1.0], [1.0, np.nextafter(1.0, 2.0)], [-0.3, 1.0]])
    found = pieces([W], 2, 0.25, _MOST)
    assert {(True, False), (False, True)} <= {tuple(row[:2]) for row in found.gates[0].tolist()}


def test_too_many_boxes_or_latent_dimensions():
    layers = gaussian(0, 3, 12, 12)
    assert pieces(layers, 3, 0.25, 50) is None
    assert one_per_pattern(gaussian(0, LATENT + 1, 5), LATENT + 1) is None
    assert ConePairs.of(gaussian(0, LATENT + 1, 5), LATENT + 1) is None


def test_patterns_are_numbered_without_gaps_and_cells_refine_them():
    layers = gaussian(3, 2, 6, 5)
    plain, owner = one_per_pattern(layers, 2)
    assert sorted(set(owner)) == list(range(len(keys(plain.gates))))
    for number in set(owner):
        assert len(keys([g[owner == number] for g in plain.gates])) == 1
    fine, cells = one_per_pattern(layers, 2, 0.125)
    assert max(cells) > max(owner)
    for number in set(cells):
        assert len(keys([g[cells == number] for g in fine.gates])) == 1
        assert np.ptp(fine.center[cells == number], axis=0).max() <= 0.25


def test_the_error_of_a_linear_map():
    rng = np.random.default_rng(4)
    layers = gaussian(4, 3, 7, 6)
    gates = [rng.random((5, 7)) < 0.6, rng.random((5, 6)) < 0.6]
    value, error = linear_maps(layers, gates, 3)
    W, V = (fractions(layer) for layer in layers)
    for b in range(5):
        for i in range(6):
            for j in range(3):
                terms = [W[h][j] if gates[0][b, h] else Fraction(0) for h in range(7)]
                exact = exact_dot(V[i], terms) if gates[1][b, i] else Fraction(0)
                assert abs(Fraction(float(value[b, i, j])) - exact) <= Fraction(float(error[b, i, j]))
    assert error.max() < 1e-12


@pytest.mark.parametrize("k", [1, 2, 3])
def test_facets_of_a_cone_are_not_negative_on_it(k):
    rng = np.random.default_rng(k)
    layers = gaussian(k + 1, k, 6, 7)
    pairs = ConePairs.of(layers, k)
    x = rng.standard_normal((2000, k))
    patterns = np.concatenate(gates_at(layers, x), axis=1)
    leaves = np.flatnonzero(pairs.tree.children[:, 0] < 0)
    tested = 0
    for leaf in leaves:
        own = np.concatenate([g[leaf] for g in pairs.tree.opened])
        points = x[(patterns == own).all(axis=1)]
        tested += len(points)
        rows, error = pairs.facets.rows[leaf], pairs.facets.error[leaf]
        assert np.all(points @ rows.T >= -np.abs(points) @ error.T - 1e-14)
    assert tested == len(x)
    assert not pairs.facets.rows[0].any() or len(leaves) == 1
