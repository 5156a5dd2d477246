"""Thresholds of the R2WDC through a library of majorants: what is proved holds, piece by piece.

Behind rows without positive entries no gate opens: the deviation is that of alpha Q, and alpha/2 at r = s.
"""

from __future__ import annotations

import time
from dataclasses import replace
from itertools import product

import numpy as np
import pytest

import wdccheck as wc
from examples.definitions import plain_q
from examples.exact_fans import dot, image, integers
from wdccheck.conditions.r2wdc import covered
from wdccheck.conditions.r2wdc.regions import Regions
from wdccheck.errors import OutOfTime
from wdccheck.ranges.fans import Fan

_ALPHA, _TRUTH = 1.0, 0.5


def _condition(*rows):
    W = np.array(rows, dtype=float)
    return wc.R2WDC(wc.ReLUNetwork([W, -np.ones((1, len(W)))]), 2, _ALPHA)


def _shut():
    return _condition((2, -2), (2, 0), (0, 1), (-1, 2))


def test_the_truth_is_attained():
    x = np.array([[1.0, 1.0]])
    point = dict.fromkeys(("x", "y", "x1", "x3"), x) | dict.fromkeys(("x2", "x4"), 2 * x)
    assert _shut().deviation(point)[0] == pytest.approx(_TRUTH, rel=1e-12)


@pytest.mark.parametrize("part", [1 - 1e-9, 0.9999, 0.98, 0.1])
def test_less_than_the_truth_is_not_proved(part):
    """Neither at first nor after a larger t was proved, whatever was kept of it."""
    library = _shut().proof.whole()
    assert library.ask(part * _TRUTH, map, 2e4).bound >= _TRUTH
    larger = library.ask(1.01 * _TRUTH, map, 2e4)
    assert larger.bound == pytest.approx(1.01 * _TRUTH)
    assert larger.after.ask(part * _TRUTH, map, 2e4).bound >= _TRUTH


def test_a_handful_of_cones():
    """Fewer pairs of cones than forms that the first members are made for."""
    found = wc.bracket(_condition((1, 0), (0, 1)), wc.Spectral(), wc.BranchAndBound(nodes=20_000), rng=0,
                       time_limit=5)
    assert found.lower <= _TRUTH <= found.upper


def test_one_latent_dimension():
    """Rays alone: nothing is cut."""
    net = wc.ReLUNetwork([np.array([[1.0], [-1.0], [2.0]]), np.array([[1.0, 2, -1], [1, -1, 1]])])
    condition, (a, b) = wc.R2WDC(net, 2), np.array([[[1.0]], [[-1.0]]])
    truth = condition.deviation({"x": a, "y": a, "x1": a, "x2": 0 * a, "x3": a, "x4": b})[0]
    library = condition.proof.whole()
    for part in (1.5, 1.1, 1 - 1e-9, 0.3):
        answer = library.ask(part * truth, map, 2e4)
        assert part > 1 or answer.bound == np.inf
        library = answer.after


# -- a row that is closed on a face alone ----------------------------------------------------------


def test_the_gates_of_a_face_count():
    """All rows are open for every r but (0, 0, 1): alpha/2 is reached there alone, where two are closed."""
    layers = [np.array([[1.0, 0], [-1, 0], [0, 1]]), np.array([[2.0, 1, 0], [1, 2, 0], [1, 1, 1]])]
    condition = wc.R2WDC(wc.ReLUNetwork(layers), 2, 30.0)
    point = {letter: np.array([[0.0, 1.0]]) for letter in ("x", "y")}
    point |= {f"x{i}": np.array([[1.0 if i % 2 else -1.0, 0.0]]) for i in (1, 2, 3, 4)}
    assert condition.deviation(point)[0] == pytest.approx(15)
    state = condition.proof.whole()
    for t in (18.0, 16.0, 15.3, 15 * (1 - 1e-9), 14.7):
        answer = state.ask(t, map, 2e4)
        assert answer.bound == (t if t > 15 else np.inf)
        state = answer.after


# -- what is below a square root of the least float --------------------------------------------------


@pytest.mark.parametrize("size, part", [(1.5e-162, 0.2), (1.5e-162, 0.9), (1e-157, 0.9), (1e-120, 0.99)])
def test_rows_whose_squares_underflow(size, part):
    """The largest entry belongs to a dead input, products of the others may be subnormal."""
    W = np.zeros((100, 3))
    W[:, :2], W[0, 2] = size, 1.0
    condition = wc.R2WDC(wc.ReLUNetwork([np.array([[1.0, 0], [0, 1], [0, 0]]), W]), 2, 5e-324)
    truth = 200 * size**2 if size > 1e-160 else 4.45e-322  # at x = y = (1, 1)
    assert condition.proof.whole().ask(part * truth, map, 2e4).bound == np.inf


# -- piece by piece ------------------------------------------------------------------------------------

_NETS = {
    "ties": ([[1, 0], [-1, 1], [0, -1], [1, 1]], [[1, -1, 0, 1], [0, 1, -1, -1], [1, 1, 1, 0]]),
    "face": ([[1, 0], [-1, 0], [0, 1]], [[1, 1, 0], [0, 0, 1], [1, -1, 1]]),
    "three": ([[1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, 0, 1]], [[1, 1, 0, 0], [1, -1, 1, -1], [0, 0, 1, -2]]),
}


def _of(name, alpha=1.0):
    return wc.R2WDC(wc.ReLUNetwork([np.array(W, dtype=float) for W in _NETS[name]]), 2, alpha)


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


@pytest.mark.parametrize("name", _NETS)
@pytest.mark.parametrize("alpha", [1.0, 0.3, 9.0])
def test_forms_hold_every_pair_of_directions(name, alpha):
    cover, rng = _of(name, alpha).proof.whole().cover, np.random.default_rng(1)
    n = cover.rows.shape[1]
    for steps in (0, 2, 5, 9, 14):
        regions = _split(cover, steps, steps)
        forms = cover.forms(regions)
        corners, known = cover.at_corners(regions)
        for b in rng.integers(len(regions), size=40):
            r, s = (_shares(cover, regions, b, side, rng) for side in (0, 1))
            both = cover.cones.gates[r[0]] & cover.cones.gates[s[0]]
            r, s = (share @ cover.cones.vectors[cover.cones.corners[cone]] for cone, share in (r, s))
            D = cover.rows.T @ (both[:, None] * cover.rows) - cover.alpha * plain_q(r, s)
            around = forms.gap[b] + (forms.slack[b] + forms.pad + 1e-13) * np.eye(n)
            for sign in (1, -1):
                assert np.linalg.eigvalsh(around + sign * (D - forms.middle[b]))[0] >= 0
            if forms.bend[b] < np.inf and known[b]:  # a mean of the corners is near
                z = np.concatenate(np.linalg.eigh(D - corners[b])[1].swapaxes(1, 2))
                off = ((z @ (corners[b] - D)) * z).sum(axis=2)
                lost = forms.bend[b] + forms.pad + 1e-13
                assert (off.min(axis=0) <= lost).all() and (off.max(axis=0) >= -lost).all()


@pytest.mark.parametrize("name", _NETS)
@pytest.mark.parametrize("alpha", [1.0, 9.0])
def test_corners_say_what_holds_between_them(name, alpha):
    """z^T D z is at most what it is at one of the pairs of corners, and the bend."""
    cover, rng, seen = _of(name, alpha).proof.whole().cover, np.random.default_rng(6), 0
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


@pytest.mark.parametrize("name", _NETS)
def test_splitting_loses_no_pair(name):
    cover, rng = _of(name).proof.whole().cover, np.random.default_rng(2)
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


def _images(condition):
    """Directions, exact gates and exact values of G at small integer codes, and at all rays of the fan."""
    layers, rows = condition._gated.layers, condition._gated.rows
    k = condition.net.dims[0]
    fan, exact = Fan.of((*layers, rows), k), [integers(W) for W in (*layers, rows)]
    codes = [list(x) for x in product((-1, 0, 2) if k == 3 else (-2, -1, 0, 1, 3), repeat=k)]
    codes += [[int(x) for x in fan.exact_ray(v)] for v in range(len(fan.rays))]
    images = [at for at in (image(exact[:-1], x) for x in codes) if any(at)]
    gates = np.array([[dot(row, at) > 0 for row in exact[-1]] for at in images])
    at = np.array(images, dtype=float)
    r = at / np.linalg.norm(at, axis=1, keepdims=True)
    _, first = np.unique(np.concatenate([r.round(12), gates], axis=1), axis=0, return_index=True)
    return r[first], gates[first], at


def _deviations(condition, cover, r, gates, count):
    """D at random pairs of directions, and at all with themselves."""
    rng, (m, n) = np.random.default_rng(4), condition._gated.rows.shape
    pairs = np.concatenate([np.stack([np.arange(len(r))] * 2, axis=1), rng.integers(len(r), size=(count, 2))])
    outer = np.einsum("ma,mb->mab", condition._gated.rows, condition._gated.rows).reshape(m, n * n)
    A = ((gates[pairs[:, 0]] & gates[pairs[:, 1]]) @ outer).reshape(-1, n, n)
    return A - cover.alpha * np.array([plain_q(r[i], r[j]) for i, j in pairs])


@pytest.mark.parametrize("name, alpha", [("ties", 1.0), ("face", 9.0), ("three", 9.0)])
def test_what_is_proved_has_a_member_for_every_pair_of_images(name, alpha):
    """And members are as small as they say, nothing is below the truth: at first, and after others."""
    condition = _of(name, alpha)
    state = condition.proof.whole()
    r, gates, at = _images(condition)
    D = _deviations(condition, state.cover, r, gates, 400)
    u = (at[:, None] - at[None]).reshape(-1, at.shape[1])
    u = np.concatenate([at, u[u.any(axis=1)][:200]])
    u /= np.linalg.norm(u, axis=1, keepdims=True)
    truth = np.abs(u @ D @ u.T).max() * state.scale
    assert state.ask(truth * (1 - 1e-9), map, 2000).bound == np.inf
    proved = 0
    for part in (3.0, 1.5, 1.2):
        answer = state.ask(part * truth, map, 10_000)
        state, proved = answer.after, proved + (answer.bound < np.inf)
        H, spare = state.members.matrices, part * truth / state.scale - state.members.proved
        assert (((u @ H) * u).sum(axis=2) <= state.members.proved[:, None] + 1e-13).all()
        if answer.bound < np.inf:
            least = np.array([np.minimum(*(np.linalg.eigvalsh(one + sign * D)[:, 0] for sign in (1, -1)))
                              for one in H])
            assert (least + spare[:, None]).max(axis=0).min() >= -1e-13
    assert proved >= 2
    for part in (1 - 1e-9, 0.5, 1e-3):
        assert state.ask(part * truth, map, 2000).bound == np.inf


@pytest.mark.parametrize("nodes", [1, 50])
def test_few_nodes_prove_nothing_false(nodes):
    state = _shut().proof.whole()
    for part in (1.2, 1 - 1e-9, 1.05, 0.7, 1.02, 1 - 1e-9):
        for _ in range(3):
            answer = state.ask(part * _TRUTH, map, nodes)
            assert answer.bound == np.inf or part > 1
            state = answer.after


def test_a_deadline_at_any_moment(monkeypatch):
    """OutOfTime or an answer that holds; the state from before serves on."""
    state = _shut().proof.whole()
    begun = state.ask(1.5 * _TRUTH, map, 100).after
    for known in (state, begun):
        for moment in (*range(12), 20, 40, 80):
            calls = iter([0.0] * moment)
            with monkeypatch.context() as patch:
                patch.setattr(time, "monotonic", lambda calls=calls: next(calls, 2.0))
                try:
                    for part in (1.05, 1 - 1e-9, 1.02):
                        answer = known.ask(part * _TRUTH, map, 2e4, 1.0)
                        assert answer.bound == np.inf or part > 1
                        known = answer.after
                except OutOfTime:
                    pass
    assert begun.ask(1.02 * _TRUTH, map, 2e4).bound == 1.02 * _TRUTH


@pytest.mark.parametrize("spoiled", [np.nan, np.inf, 1e200])
def test_members_that_are_no_numbers_cover_nothing(spoiled):
    state = _shut().proof.whole()
    state = state.ask(1.2 * _TRUTH, map, 2e4).after
    bad = np.full_like(state.members.matrices[:1], spoiled)
    members = replace(state.members, matrices=np.concatenate([bad, bad]), proved=np.zeros(2))
    with np.errstate(all="ignore"):
        for matrix in (np.nan, 1.0):
            forms = state.cover.forms(Regions.root(2))
            forms = replace(forms, middle=matrix * forms.middle)
            good, _ = covered._covered(forms, members, np.zeros(1, dtype=int), np.ones(1, dtype=int), 1e-9)
            assert not good.any()
