"""Attacks on spans, cone constraints and majorants that once gave bounds that were too small."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from test_cone_soundness import codes, leaf_of, network

import wdccheck as wc
from wdccheck.conditions.r2wdc import proof
from wdccheck.engines.proving.best_first import _bounded
from wdccheck.engines.proving.multipliers import tightened, with_multipliers
from wdccheck.engines.proving.relax import proved_bound
from wdccheck.geometry.expectation import angle
from wdccheck.protocol.forms import RangeForm
from wdccheck.ranges.cone_pairs import ConePairs, one_per_pattern

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
