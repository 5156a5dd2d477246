"""Attacks on bounds over cones and groups of cones, held against brute force and sampled points."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from itertools import combinations, product

import numpy as np
import pytest

import wdccheck as wc
from examples import fans
from wdccheck.conditions.r2wdc import proof
from wdccheck.engines.proving.best_first import _bounded
from wdccheck.engines.proving.multipliers import tightened, with_multipliers
from wdccheck.engines.proving.relax import proved_bound
from wdccheck.errors import InvalidInput
from wdccheck.geometry.expectation import angle
from wdccheck.protocol.forms import RangeForm
from wdccheck.ranges import differences
from wdccheck.ranges.cone_pairs import ConePairs, one_per_pattern
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


def often(few, many):
    """Some seeds, and more in the long checks."""
    longer = (pytest.param(seed, marks=pytest.mark.slow) for seed in many)
    return pytest.mark.parametrize("seed", [*few, *longer])


@often(range(20), range(20, 40))
def test_brute_force_stays_below_the_rric(seed):
    rng, layers = network(seed)
    A = measured(rng, len(layers[-1]))
    engine = wc.BranchAndBound if seed % 5 else wc.SDP
    found = wc.bracket(wc.RRIC(A, wc.ReLUNetwork(layers)), wc.Spectral(), engine(rtol=1e-3, nodes=1500))
    low = fans.supremum(A.T @ A - np.eye(A.shape[1]), fans.secant_cones([fans.exact(W) for W in layers]), rng)
    assert low <= found.upper * (1 + 1e-9) + 1e-12


@often(range(200, 215), range(215, 230))
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


BOX = np.vstack([np.eye(3), -np.eye(3)])
TILT = np.array([[1.0] * 6, [1.0, -1.0, 0.5, 0.0, 0.0, 0.0]])


def chain(kind):
    """G = p (1, 1) + t q e_2 behind p = |x|_1 and some q; t is lost to floats."""
    if kind == "underflow":
        small = np.array([[1.0, 0.0], [1.0, 1e-200]])
        return [BOX, TILT, small, small]
    if kind == "underflow of the error":
        small = np.array([[1.0, 0.0], [1.0, 1e-200]])
        return [BOX, TILT, small, small, small]
    t = 2.0**-60 if kind == "cancellation" else 1e-30
    last = np.array([[1.0, 0, 0, 0], [1, 1, t, -1]])
    return [BOX, TILT, np.array([[1.0, 0], [1, 1], [1, 1], [1, 1]]), last]


@pytest.mark.parametrize("kind", ["underflow", "underflow of the error", "cancellation", "far cancellation"])
def test_directions_that_round_to_zero_are_not_lost(kind):
    """u = e_2 has the deviation 99; on what floats see of the span it is at most 1."""
    condition = wc.RRIC(np.array([[10.0, -10.0]]), wc.ReLUNetwork(chain(kind)))
    x1, x2 = np.array([1.0, 1.0, 1.0]), np.array([1.5, 0.5, 1.0])
    assert condition.lower_bound({"x1": x1, "x2": x2, "x3": x1, "x4": x2}) > 98.999
    found = wc.bracket(condition, wc.Spectral(), wc.BranchAndBound(nodes=1000))
    assert found.upper >= 99


def single_pairs(condition):
    roots = condition.proof.groups()
    tree = roots.trees[0]
    leaves = np.flatnonzero(tree.children[:, 0] < 0)
    i, j = np.triu_indices(len(leaves))
    nodes = np.stack([leaves[i], leaves[j], 0 * i - 1, 0 * j - 1], axis=1)
    return replace(roots, nodes=nodes, bound=np.full(len(i), np.inf), effort=np.zeros(len(i), dtype=int))


def test_facets_on_columns_that_are_zero_constrain_nothing():
    """Where x1 > x2 > 0 only x2 counts; the wall x1 = x2 says nothing of it."""
    W = np.array([[0, 1.0], [0, 2.0], [0, 1.5], [-1, 1.0], [0, -1.0]])
    condition = wc.RRIC(np.array([[1.0, 2, 1.5, 0, -5], [0, 0, 0, 1, 0]]), wc.ReLUNetwork([W]))
    regions = single_pairs(condition)
    bound = _bounded(condition, tightened, regions).bound
    rng = np.random.default_rng(0)
    x = rng.standard_normal((2, 4000, 2)) * 10.0 ** rng.uniform(-1, 1, (2, 4000, 1))
    values = condition.deviation({"x1": x[0], "x2": x[1], "x3": x[0], "x4": x[1]})
    pairs = np.sort(leaf_of(regions.trees[0], x.reshape(-1, 2)).reshape(2, -1), axis=0)
    place = {tuple(sorted(pair)): i for i, pair in enumerate(regions.nodes[:, :2].tolist())}
    of = [place[tuple(pair)] for pair in pairs.T.tolist()]
    assert (values <= bound[of] * (1 + 1e-9)).all()


@pytest.mark.parametrize("seed", range(40))
def test_differences_are_in_their_spans_and_cones(seed):
    """u = columns z, and z or -z satisfies the cone rows, for single cones and groups."""
    rng, layers = network(600 + seed, 2 + seed % 2, 4 if seed % 2 == 0 else 2)
    if seed % 4 == 2:  # wide enough for inner units that are open on one side only
        layers = [rng.standard_normal(shape) for shape in ((7, 2), (9, 7), (12, 9))]
    pairs = ConePairs.of(layers, k := 2 + seed % 2)
    if pairs is None:
        return
    tree, sample = pairs.tree, codes(rng, k, 60)
    leaves = leaf_of(tree, sample)
    if seed % 4 < 2:  # some groups of two or so
        parent = np.full(len(tree.children), -1)
        for side in (0, 1):
            inner = np.flatnonzero(tree.children[:, 0] >= 0)
            parent[tree.children[inner, side]] = inner
        leaves = np.where((rng.random(60) < 0.5) & (parent[leaves] >= 0), parent[leaves], leaves)
    nodes, value = leaves.reshape(30, 2), sample
    for W in layers:
        value = np.maximum(value @ W.T, 0.0)
    u = value[::2] - value[1::2]
    for last in (False, True):
        for span in pairs.spans(nodes, 100, last):
            for b, owner in enumerate(span.owners):
                used = span.columns[b].any(axis=0)
                M = span.columns[b][:, used]
                z, _, rank, _ = np.linalg.lstsq(M, u[owner], rcond=1e-10)
                size = np.abs(u[owner]).max() + 1e-12
                assert np.abs(M @ z - u[owner]).max() <= 1e-6 * size
                if rank == used.sum():
                    rows = span.cone[b][:, used] @ z
                    loss = 1e-6 * size + np.abs(span.cone[b][:, used]) @ np.abs(z) * 1e-6
                    assert (rows >= -loss).all() or (rows <= loss).all()
                    assert not span.cone[b][:, ~used].any()


# -- R2WDC -----------------------------------------------------------------------------------------


def images_of(layers, k):
    """Boxes, with directions and angles of the images; and a few codes of each, where its gates hold."""
    cover, _ = one_per_pattern(layers, k, proof._CELLS[k])
    alive = cover.gates[-1].any(axis=1)
    cover = cover.take(alive)
    return cover, *proof._images(layers, cover, k)


@pytest.mark.parametrize("size", [1.0, 1e-100, 3e-161, 1e-161, 1e-162, 1e-200])
def test_images_lie_in_their_caps_however_small_they_are(size):
    rng, row = np.random.default_rng(0), [-1.0, 0.0]
    layers = [np.array([row, [size, 0.3 * size], [0.2 * size, size]])]
    cover, direction, angles = images_of(layers, 2)
    for _ in range(10):
        x = cover.center + rng.uniform(-1, 1, cover.center.shape) * cover.half
        inputs = x @ layers[0].T
        held = ((inputs > 0) == cover.gates[0]).all(axis=1)
        assert (angle(np.maximum(inputs, 0.0), direction) <= angles + 1e-12)[held].all()


@pytest.mark.parametrize("seed", range(12))
def test_all_pairs_are_held_against_one_majorant(seed):
    """u and v may be of different pairs: Cauchy-Schwarz needs the same H, so (x, y) is never split below."""
    rng, layers = network(900 + seed, 2, 2)
    cones = proof.Proof(tuple(layers), rng.standard_normal((4, len(layers[-1]))), 1.0, 1.0, 2)
    groups = cones.groups()
    while groups is not None:
        tree = groups.trees[0]
        below = [set(range(tree.first[n], tree.last[n])) for n in range(len(tree.children))]
        cells = np.unique(groups.nodes[:, :2], axis=0)
        met = [frozenset((i, j)) for x, y in cells for i in below[x] for j in below[y] if x != y or i <= j]
        assert len(met) == len(set(met)) == len(tree.codes) * (len(tree.codes) + 1) // 2
        halves = groups.split()
        assert {tuple(n) for n in halves.nodes[:, :2]} == {tuple(n) for n in cells[:]} or not len(halves)
        groups = groups.finer()


def test_two_majorants_would_not_do():
    """Each dominates +-D, and yet |u^T D v| exceeds the root of their forms."""
    D = np.array([[0.0, 1.0], [1.0, 0.0]])
    first, second = np.diag([0.5, 2.0]), np.diag([2.0, 0.5])
    for H in (first, second):
        assert min(np.linalg.eigvalsh(H - D)[0], np.linalg.eigvalsh(H + D)[0]) >= 0
    u, v = np.eye(2)
    assert u @ D @ v > np.sqrt((u @ first @ u) * (v @ second @ v))


# -- multipliers and proofs ------------------------------------------------------------------------


def pencils(rng, b=40, p=4, c=5):
    """Forms with points z of their cones."""
    C, F, X = rng.standard_normal((b, c, p)), rng.standard_normal((b, p, p)), rng.standard_normal((b, 7, p))
    z = rng.standard_normal((b, 200, p))
    inside = (np.einsum("bcp,bzp->bzc", C, z) >= 0).all(axis=2)
    zero = np.zeros(b)
    G = X.swapaxes(1, 2) @ X
    form = RangeForm(G, F + F.swapaxes(1, 2), zero + 1e-12, zero + 1e-12, cone=C, cone_error=0 * C)
    quotient = np.einsum("bzp,bpq,bzq->bz", z, form.form, z) / np.einsum("bzp,bpq,bzq->bz", z, G, z)
    return form, np.where(inside, quotient, -np.inf).max(axis=1), quotient.max(axis=1)


def test_bounds_hold_in_the_cone_for_any_multipliers():
    rng = np.random.default_rng(0)
    form, inside, everywhere = pencils(rng)
    assert (everywhere <= proved_bound(form)).all()
    assert (inside <= tightened(form)).all() and (tightened(form) < 0.999 * proved_bound(form)).any()
    for scale in (1e-3, 1.0, 1e3):
        N = scale * (rng.random((len(form), 5, 5)) - 0.9)  # forged: of both signs
        assert (inside <= proved_bound(with_multipliers(form, N))).all()


@pytest.mark.parametrize("power", [1, 2])
def test_bounds_cover_what_the_pads_allow(power):
    """F + form_pad, G - gram_pad, C + cone_error: the bound holds for these, too."""
    rng = np.random.default_rng(1)
    form, _, _ = pencils(rng)
    F, G = form.form @ form.form, form.gram
    low = np.linalg.eigvalsh(G)[:, 0]
    wide = replace(form, form=F, gram_pad=low / 8, form_pad=low / 3, power=power, cone=None)
    eye = np.eye(4)
    top = F + (low / 3)[:, None, None] * eye
    inverse = np.linalg.inv(np.linalg.cholesky(G - (low / 8)[:, None, None] * eye))
    worst = np.linalg.eigvalsh(inverse @ top @ inverse.swapaxes(1, 2))[:, -1]
    assert (worst ** (1 / power) <= proved_bound(wide) * (1 + 1e-12)).all()
