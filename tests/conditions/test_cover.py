"""Pairs of directions in regions: what forms say, how regions are split, which members cover them."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from itertools import product

import numpy as np
import pytest

import wdccheck as wc
from examples.definitions import exactly_semidefinite, fractions, plain_q
from examples.libraries import NETS, of
from wdccheck.conditions.r2wdc import covered
from wdccheck.conditions.r2wdc.regions import Regions


def _split(cover, steps, seed):
    """Regions after some are split."""
    rng, regions = np.random.default_rng(seed), Regions.root(cover.cones.corners.shape[1])
    for _ in range(steps):
        chosen = rng.random(len(regions)) < max(0.3, 8 / len(regions))
        halves, stuck = cover.split(regions.take(chosen), cover.forms(regions.take(chosen)).reach)
        regions = Regions.join([regions.take(~chosen), regions.take(np.flatnonzero(chosen)[stuck]), halves])
    return regions


def _shares(cover, regions, b, side, rng):
    """A cone of one side of a region and the shares of its rays in a point of the part."""
    tree, node = cover.tree, regions.nodes[b, side]
    cone = tree.order[rng.integers(tree.first[node], tree.last[node])]
    weights = regions.weights[b, side] if regions.depth[b, side] else np.eye(regions.weights.shape[-1])
    share = rng.dirichlet(np.full(len(weights), 0.5)) @ (weights * (cover.cones.corners[cone] >= 0))
    return cone, share if share.any() else (cover.cones.corners[cone] >= 0) * 1.0


def _inside(cover, regions, b, rng):
    """D of a random pair of directions of a region."""
    r, s = (_shares(cover, regions, b, side, rng) for side in (0, 1))
    both = cover.cones.gates[r[0]] & cover.cones.gates[s[0]]
    r, s = (share @ cover.cones.vectors[cover.cones.corners[cone]] for cone, share in (r, s))
    return cover.rows.T @ (both[:, None] * cover.rows) - cover.alpha * plain_q(r, s)


@pytest.mark.parametrize("name", NETS)
@pytest.mark.parametrize("alpha", [1.0, 0.3, 9.0])
def test_forms_hold_every_pair_of_directions(name, alpha):
    cover, rng = of(name, alpha).proof.whole().cover, np.random.default_rng(1)
    n = cover.rows.shape[1]
    for steps in (0, 2, 5, 9, 14):
        regions = _split(cover, steps, steps)
        forms = cover.forms(regions)
        corners, known = cover.at_corners(regions)
        for b in rng.integers(len(regions), size=40):
            D = _inside(cover, regions, b, rng)
            around = forms.gap[b] + (forms.slack[b] + forms.pad + 1e-13) * np.eye(n)
            for sign in (1, -1):
                assert np.linalg.eigvalsh(around + sign * (D - forms.middle[b]))[0] >= 0
            if forms.bend[b] < np.inf and known[b]:  # a mean of the corners is near
                z = np.concatenate(np.linalg.eigh(D - corners[b])[1].swapaxes(1, 2))
                off = ((z @ (corners[b] - D)) * z).sum(axis=2)
                lost = forms.bend[b] + forms.pad + 1e-13
                assert (off.min(axis=0) <= lost).all() and (off.max(axis=0) >= -lost).all()


def test_a_form_errs_by_no_more_than_its_pad():
    """Sums of rows that are no integers; hardly any weight on the expectation."""
    rng = np.random.default_rng(5)
    layers = [rng.standard_normal((4, 2)), rng.standard_normal((60, 4))]
    cover = wc.R2WDC(wc.ReLUNetwork(layers), 2, 1e-200).proof.whole().cover
    leaves = np.flatnonzero(cover.tree.leaf(np.arange(len(cover.tree.children))))
    nodes = np.random.default_rng(6).choice(leaves, (12, 2))
    regions = replace(Regions.root(2).take(np.zeros(12, dtype=int)), nodes=nodes)
    forms, rows, off = cover.forms(regions), fractions(cover.rows), []
    for nodes, middle in zip(regions.nodes, forms.middle, strict=True):
        both = cover.tree.opened[0][nodes].all(axis=0)
        exact = [[sum(row[i] * row[j] for row, on in zip(rows, both, strict=True) if on)
                  for j in range(len(middle))] for i in range(len(middle))]
        off.append(np.linalg.norm([[float(x - y) for x, y in zip(*both, strict=True)]
                                   for both in zip(exact, fractions(middle), strict=True)]))
    assert 0 < max(off) <= forms.pad


@pytest.mark.parametrize("n", [2, 5])
def test_domination_is_that_of_the_exact_numbers(n):
    """Matrices that are singular up to rounding."""
    rng, found = np.random.default_rng(n), 0
    for _ in range(60):
        base, D = (x + x.T for x in rng.standard_normal((2, n, n)))
        least = min(np.linalg.eigvalsh(base + sign * D)[0] for sign in (1, -1))
        raised = -least + np.concatenate([[0.0], 2.0**-53 * 2.0 ** np.arange(14)])
        many = np.broadcast_to(base, (len(raised), n, n))
        size = np.full(len(raised), np.linalg.norm(base))
        good, _ = covered._dominated(many, raised, np.broadcast_to(D, (len(raised), 1, n, n)), size, 0.0)
        found += good.sum()
        if good.any():
            up = np.array(fractions(np.diag(np.full(n, raised[good.argmax()]))))
            exact = [np.array(fractions(base)) + sign * np.array(fractions(D)) + up for sign in (1, -1)]
            assert all(exactly_semidefinite(matrix.tolist()) for matrix in exact)
    assert found > 60


@pytest.mark.parametrize("name", NETS)
@pytest.mark.parametrize("alpha", [1.0, 9.0])
def test_corners_say_what_holds_between_them(name, alpha):
    """z^T D z is at most what it is at one of the pairs of corners, and the bend."""
    cover, rng, seen = of(name, alpha).proof.whole().cover, np.random.default_rng(6), 0
    n = cover.rows.shape[1]
    regions = _split(cover, 16, 5)
    forms = cover.forms(regions)
    z = rng.standard_normal((40, n))
    z /= np.linalg.norm(z, axis=1, keepdims=True)
    bent = np.flatnonzero(forms.bend < np.inf)
    at, known = cover.at_corners(regions.take(bent))
    assert known.all() and not forms.loose[bent].any()
    for number, b in enumerate(bent[:150]):
        r, s = (_shares(cover, regions, b, side, rng) for side in (0, 1))
        both = cover.cones.gates[r[0]] & cover.cones.gates[s[0]]
        r, s = (share @ cover.cones.vectors[cover.cones.corners[cone]] for cone, share in (r, s))
        D = cover.rows.T @ (both[:, None] * cover.rows) - cover.alpha * plain_q(r, s)
        value, values = (np.einsum("qn,...nm,qm->...q", z, one, z) for one in (D, at[number]))
        assert (value <= values.max(axis=0) + forms.bend[b] + forms.pad + 1e-13).all()
        assert (value >= values.min(axis=0) - forms.bend[b] - forms.pad - 1e-13).all()
        seen += forms.bend[b] < forms.slack[b]
    assert seen > 20


def _least(way):
    """The least t that is proved, nearly."""
    low, high = 0.0, 9.0
    while high - low > 1e-5:
        t = (low + high) / 2
        low, high = (low, t) if way(t)[0][0] else (t, high)
    return high


@pytest.mark.parametrize("name", NETS)
def test_the_least_t_at_which_a_region_is_covered_holds_for_its_pairs(name):
    """By a member with any p: groups and cones, parts of cones by their centers and by their corners."""
    cover, rng = of(name, 3.0).proof.whole().cover, np.random.default_rng(8)
    n = cover.rows.shape[1]
    H = np.stack([np.zeros((n, n)), np.diag(rng.uniform(0.1, 0.4, n))])
    library, one = covered.Members(H, np.array([0.0, 0.2]), np.eye(n)), np.zeros(1, dtype=int)
    for steps in (1, 4, 14, 20):
        regions = _split(cover, steps, steps)
        forms = cover.forms(regions)
        bent = np.flatnonzero(forms.bend < np.inf)
        for b in (*rng.integers(len(regions), size=6), *bent[:6]):
            arguments = forms, library, one + b, one + 1
            ways = [partial(covered._covered, *arguments)]
            if forms.bend[b] < np.inf:
                ways.append(partial(covered._covered_at_corners, cover, regions, *arguments))
            found = min(_least(way) for way in ways)
            for _ in range(20):
                D = _inside(cover, regions, b, rng)
                least = min(np.linalg.eigvalsh(H[1] + sign * D)[0] for sign in (1, -1))
                assert least + found - 0.2 >= -1e-13


def test_what_bends_between_corners_is_taken_off():
    """A member that is |D| at every pair of corners covers their region at its bend, and at nothing less."""
    cover = of("ties", 0.3).proof.whole().cover
    regions = _split(cover, 16, 5)
    forms = cover.forms(regions)
    bent = np.flatnonzero(forms.bend < forms.slack)[:20]
    at, _ = cover.at_corners(regions.take(bent))
    for number, b in enumerate(bent):
        values, vectors = np.linalg.eigh(at[number])
        H = sum((v * np.abs(w)) @ v.T for w, v in zip(values, vectors, strict=True))
        members = covered.Members(np.stack([0 * H, H]), np.zeros(2), np.eye(len(H)))
        least = min(np.linalg.eigvalsh(H + sign * D)[0] for sign in (1, -1) for D in at[number])
        for t, expected in ((forms.bend[b] - least + 1e-9, True), (forms.bend[b] - least - 1e-9, False)):
            good, _ = covered._covered_at_corners(cover, regions, forms, members, np.array([b]),
                                                  np.array([1]), t)
            assert good[0] == expected


@pytest.mark.parametrize("name", NETS)
def test_splitting_loses_no_pair(name):
    cover, rng = of(name).proof.whole().cover, np.random.default_rng(2)
    tree, k = cover.tree, cover.cones.corners.shape[1]
    place = np.argsort(tree.order)
    regions = _split(cover, 16, 3)
    assert (regions.depth.max(axis=0) > 0).all()
    for _ in range(150):
        cones = rng.integers(len(tree.order), size=2)
        shares = rng.dirichlet(np.full(k, 0.5), 2) * (cover.cones.corners[cones] >= 0)
        if rng.random() < 0.5:  # twins, near each other
            cones[1], shares[1] = cones[0], shares[0] * (1 + 0.05 * rng.standard_normal(k))
        inside = np.zeros((2, 2, len(regions)), dtype=bool)  # point, side
        for point, side in product((0, 1), repeat=2):
            nodes = regions.nodes[:, side]
            at, part = place[cones[point]], regions.weights[:, side].swapaxes(1, 2)
            inside[point, side] = (tree.first[nodes] <= at) & (at < tree.last[nodes])
            in_part = (np.linalg.solve(part, shares[point][:, None])[:, :, 0] >= -1e-9).all(axis=1)
            inside[point, side] &= in_part | (regions.depth[:, side] == 0)
        assert ((inside[0, 0] & inside[1, 1]) | (inside[0, 1] & inside[1, 0])).any()


@pytest.mark.parametrize("spoiled", [np.nan, np.inf, 1e200])
def test_members_that_are_no_numbers_cover_nothing(spoiled):
    state = of("face").proof.whole()
    state = state.ask(99.0, map, 2e4).after
    bad = np.full_like(state.members.matrices[:1], spoiled)
    spoilt = replace(state.members, matrices=np.concatenate([bad, bad]), proved=np.zeros(2))
    with np.errstate(all="ignore"):
        for matrix in (np.nan, 1.0):
            forms = state.cover.forms(Regions.root(2))
            forms = replace(forms, middle=matrix * forms.middle)
            good, _ = covered._covered(forms, spoilt, np.zeros(1, dtype=int), np.ones(1, dtype=int), 1e-9)
            assert not good.any()
