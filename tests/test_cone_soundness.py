"""Upper bounds of RRIC and R2WDC over groups of cones, held against brute force and sampled points."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from itertools import combinations, product

import fans
import numpy as np
import pytest

import wdccheck as wc
from wdccheck.engines.proving.best_first import _bounded
from wdccheck.engines.proving.multipliers import tightened
from wdccheck.engines.proving.relax import proved_bound
from wdccheck.errors import InvalidInput
from wdccheck.ranges import differences
from wdccheck.ranges.cones import pieces


def drawn(rng, n, m):
    """Small and of every hard kind."""
    W, kind = rng.standard_normal((n, m)), rng.integers(10)
    kind = 0 if m == 3 and kind in (5, 8) else kind  # thin cones of R^3 take long
    if kind == 1:
        W = rng.integers(-1, 2, (n, m)).astype(float)
    elif kind == 2:
        W = rng.integers(-2, 3, (n, 1)) @ rng.integers(-2, 3, (1, m)).astype(float)
    elif kind == 3:
        W = np.vstack([W, W[:1], -2 * W[:1]])[-5:]
    elif kind == 4:
        W *= rng.random((n, m)) < 0.5
    elif kind == 5:
        W = np.vstack([W[:2], W[:2] * (1 + 1e-9 * rng.standard_normal(W[:2].shape)), W[2:3]])
    elif kind == 6:
        W *= 10.0 ** rng.uniform(-3, 0, (len(W), 1))
    elif kind == 7:
        W = np.vstack([np.eye(m), -np.eye(m)])[:5]
    elif kind == 8:
        W = np.vstack([W[:2], W[:1] - 1e-12 * W[1:2]])
    return W


def network(seed, k=2, deep=3):
    rng = np.random.default_rng(seed)
    layers = [drawn(rng, int(rng.integers(1, 5)), k)]
    for _ in range(int(rng.integers(0, deep))):
        layers.append(drawn(rng, int(rng.integers(1, 5)), len(layers[-1])))
    return (rng, layers) if all(W.any() for W in layers) else network(seed + 1000, k, deep)


def measured(rng, n):
    kind = rng.integers(4)
    if kind == 0:
        return np.zeros((2, n))
    if kind == 1:
        return np.outer(rng.standard_normal(3), rng.standard_normal(n))
    return 10.0 ** rng.integers(-1, 2) * rng.standard_normal((int(rng.integers(1, 6)), n))


# -- cones -----------------------------------------------------------------------------------------


def hard_codes(rng, layers, k):
    """Exact codes: integers, walls, corners, faces of later layers."""
    if k == 2:
        rays = fans.fan(layers)
        following = rays[1:] + rays[:1]
        return rays + [fans.between(a, b, Fraction(1, 2)) for a, b in zip(rays, following, strict=True)]
    found = [tuple(map(Fraction, x)) for x in product(range(-1, 2), repeat=3) if any(x)]
    rows = layers[0] + [list(map(Fraction, map(int, x))) for x in rng.integers(-3, 4, (4, 3))]
    corners = [tuple(a[i - 2] * b[i - 1] - a[i - 1] * b[i - 2] for i in range(3))
               for a, b in combinations(rows, 2)]
    found += [tuple(s * x for x in corner) for corner in corners if any(corner) for s in (1, -1)]
    for depth, W in enumerate(layers):
        for i, j in rng.integers(len(found), size=(15, 2)):
            ends = zip(*(fans.apply(W, fans.image(layers[:depth], found[c])) for c in (i, j)), strict=True)
            cuts = [p / (p - q) for p, q in ends if p * q < 0]
            found += [x for t in cuts if any(x := fans.between(found[i], found[j], t))]
    return found


@pytest.mark.parametrize("k", [2, 3])
def test_no_gate_pattern_is_missed(k):
    for seed in range(30 if k == 2 else 10):
        rng, layers = network(seed, k, 5 - k)
        layers = list(differences.rescaled(layers))
        found = pieces(layers, k, 0.25, 200_000)
        if found is None:
            continue
        known = {tuple(row) for row in np.concatenate(found.gates, axis=1).tolist()}
        exactly = [fans.exact(W) for W in layers]
        for x in hard_codes(rng, exactly, k):
            assert fans.pattern(exactly, x) in known, (seed, [float(a) for a in x])


# -- the whole -------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(40))
def test_brute_force_stays_below_the_rric(seed):
    rng, layers = network(seed)
    A = measured(rng, len(layers[-1]))
    engine = wc.BranchAndBound if seed % 5 else wc.SDP
    found = wc.bracket(wc.RRIC(A, wc.ReLUNetwork(layers)), wc.Spectral(), engine(rtol=1e-3, nodes=1500))
    low = fans.supremum(A.T @ A - np.eye(A.shape[1]), fans.secant_cones([fans.exact(W) for W in layers]), rng)
    assert low <= found.upper * (1 + 1e-9) + 1e-12


@pytest.mark.parametrize("seed", range(200, 230))
def test_brute_force_stays_below_the_r2wdc(seed):
    rng, layers = network(seed)
    if len(layers) == 1:
        layers.append(rng.integers(-1, 2, (3, len(layers[0]))) + np.eye(3, len(layers[0])))
    alpha = float(rng.choice([0.05, 0.5, 2.0])) * float(np.abs(layers[-1]).max()) ** 2
    try:
        condition = wc.R2WDC(wc.ReLUNetwork(layers), len(layers), alpha)
    except InvalidInput:
        return
    found = wc.bracket(condition, wc.Spectral(), wc.BranchAndBound(rtol=1e-3, nodes=1500))
    assert fans.r2wdc(layers[:-1], layers[-1], alpha, rng) <= found.upper * (1 + 1e-9) + 1e-12


# -- single regions --------------------------------------------------------------------------------


def leaf_of(tree, codes):
    """The single cones of codes (B, k), by their gates."""
    leaves = np.flatnonzero(tree.children[:, 0] < 0)
    value, gates = codes, []
    for W in tree.layers:
        value = value @ W.T
        gates.append(value > 0)
        value = np.maximum(value, 0.0)
    all_gates, known = np.concatenate(gates, axis=1), np.concatenate([o[leaves] for o in tree.opened], axis=1)
    names = {row.tobytes(): leaf for row, leaf in zip(known, leaves, strict=True)}
    return np.array([names[row.tobytes()] for row in all_gates])


def above(tree, rng, leaf):
    """A random node that holds the leaf."""
    inside = (tree.first <= tree.first[leaf]) & (tree.first[leaf] < tree.last)
    return int(rng.choice(np.flatnonzero(inside)))


def codes(rng, k, n):
    x = rng.standard_normal((n, k))
    whole = np.where(rng.random((n, 1)) < 0.3, rng.integers(-2, 3, (n, k)), x)
    return np.where(whole.any(axis=1, keepdims=True), whole, x)


@pytest.mark.parametrize("seed", range(14))
def test_deviations_stay_below_the_bounds_of_any_two_regions_of_pairs(seed):
    """|u^T D v| <= the larger bound of any regions that hold u and v, tightened or not."""
    rng, layers = network(seed, 3 if seed % 4 == 1 else 2, 2)
    A = measured(rng, len(layers[-1]))
    condition = wc.RRIC(A, wc.ReLUNetwork(layers))
    roots = None if condition.proof is None else condition.proof.groups()
    if roots is None:
        return
    tree, k, points = roots.trees[0], condition.net.dims[0], []
    leaves = leaf_of(tree, sample := codes(rng, k, 120))
    groups = np.array([above(tree, rng, x) for x in leaves])
    for chosen, prove in ((leaves, tightened), (groups, proved_bound)):
        nodes = np.stack([chosen[::2], chosen[1::2], *np.full((2, 60), -1)], axis=1)
        batch = replace(roots, nodes=nodes, bound=np.full(60, np.inf), effort=np.zeros(60, dtype=int))
        points.append(_bounded(condition, prove, batch).bound)
    bound = np.minimum(*points)
    i, j = np.indices((60, 60)).reshape(2, -1)
    values = condition.deviation({"x1": sample[2 * i], "x2": sample[2 * i + 1], "x3": sample[2 * j],
                                  "x4": sample[2 * j + 1]})
    assert (values <= np.maximum(bound[i], bound[j]) * (1 + 1e-9) + 1e-12).all()
    i, j = i[::7], j[::7]
    nodes = np.stack([leaves[2 * i], leaves[2 * i + 1], leaves[2 * j], leaves[2 * j + 1]], axis=1)
    fours = replace(roots, nodes=nodes, bound=np.full(len(i), np.inf), effort=np.zeros(len(i), dtype=int))
    assert (values[::7] <= _bounded(condition, tightened, fours).bound * (1 + 1e-9) + 1e-12).all()


@pytest.mark.parametrize("seed", range(16))
def test_deviations_stay_below_the_bounds_of_regions_of_codes_and_pairs(seed):
    """x and y in one product of groups for u, in another for v."""
    rng, layers = network(300 + seed, 2, 2)
    layers = [*layers, rng.standard_normal((3, len(layers[-1])))]
    condition = wc.R2WDC(wc.ReLUNetwork(layers), len(layers), float(rng.choice([0.1, 1.0, 10.0])))
    roots = condition.proof.groups()
    if roots is None:
        return
    gated, pairs = roots.trees[0], roots.trees[2]
    sample = codes(rng, 2, 80).reshape(40, 2, 2)
    x, y = codes(rng, 2, 2)
    if not all((differences.image(condition.search.pairs.layers, z[None]) > 0).any() for z in (x, y)):
        return
    bound = np.full(40, np.inf)
    for _ in range(6):
        p, q = (holding(gated, rng, z) for z in (x, y))
        nodes = np.array([[p, q, *leaf_of(pairs, pair)] for pair in sample])
        batch = replace(roots, nodes=nodes, bound=np.full(40, np.inf), effort=np.zeros(40, dtype=int))
        bound = np.minimum(bound, _bounded(condition, tightened, batch).bound)
    i, j = np.indices((40, 40)).reshape(2, -1)
    values = condition.deviation({"x": x, "y": y, "x1": sample[i, 0], "x2": sample[i, 1], "x3": sample[j, 0],
                                  "x4": sample[j, 1]})
    assert (values <= np.maximum(bound[i], bound[j]) * (1 + 1e-9) + 1e-12).all()


def holding(tree, rng, code):
    """A random node with a cell that holds the code: its gates, and its place."""
    leaves = np.flatnonzero(tree.children[:, 0] < 0)
    place, value, fits = code / np.abs(code).max(), code, np.ones(len(leaves), dtype=bool)
    for W, opened in zip(tree.layers, tree.opened, strict=True):
        fits &= ((W @ value > 0) == opened[leaves]).all(axis=1)
        value = np.maximum(W @ value, 0.0)
    far = np.abs(tree.codes[tree.first[leaves]] - place).max(axis=1)
    near = leaves[np.argmin(np.where(fits, far, np.inf))]
    assert fits.any()
    return above(tree, rng, near)
