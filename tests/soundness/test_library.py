"""Thresholds of the R2WDC through a library of majorants: what is proved holds.

Behind rows without positive entries no gate opens: the deviation is that of alpha Q, and alpha/2 at r = s.
"""

from __future__ import annotations

import time
from itertools import product

import numpy as np
import pytest

import wdccheck as wc
from examples.definitions import plain_q
from examples.exact_fans import dot, image, integers
from examples.libraries import of
from wdccheck.conditions.r2wdc import members
from wdccheck.errors import OutOfTime
from wdccheck.ranges.copositive import Proved, Refuted, Undecided, prove
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


def test_what_no_member_can_cover_is_given_up():
    """Rounding alone is more than t: members that are made for the only ray (1, 1e-30) do not cover it."""
    W = np.array([[1e-11, 1.0], [2e-11, 1.0]])
    condition = wc.R2WDC(wc.ReLUNetwork([np.array([[1.0], [1e-30]]), W]), 2, 1e-24)
    answer = condition.proof.whole().ask(1e-21, map)  # twice the truth
    assert answer.bound == np.inf and len(answer.after.members) < 99


# -- whatever is asked -----------------------------------------------------------------------------------


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
    condition = of(name, alpha)
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
    for one, p in zip(H[1:], state.members.proved[1:], strict=True):
        assert isinstance(prove(state.source.images, one, p), Proved)
    for part in (1 - 1e-9, 0.5, 1e-3):
        assert state.ask(part * truth, map, 2000).bound == np.inf


def test_what_was_proved_at_a_larger_t_is_looked_at_again():
    state = of("three", 9.0).proof.whole()
    larger = state.ask(13.0, map, 2000)
    assert larger.bound == 13 and larger.after.low * state.scale < 6
    answer = larger.after.ask(6.0, map, 2000)
    assert answer.nodes > 0
    for state in (larger.after.ask(6.0, map, 1).after, larger.after.ask(5.2, map, 2000).after):
        assert len(state.regions) and state.ask(6.1, map, 1).nodes > 0  # nor is what was left open forgotten


@pytest.mark.parametrize("what", [
    Undecided(np.zeros((0, 2), dtype=int), 1),
    Refuted(np.eye(4)[:1], np.ones(1), -np.ones((1, 6), dtype=int), np.zeros((1, 6)), 1),
], ids=["open", "refuted"])
def test_only_what_was_proved_becomes_a_member(what, monkeypatch):
    asked = []

    def noted(images, H, t, *rest):
        asked.append((H, t))
        return Proved(1, 1, 0) if len(asked) > 9 else what

    monkeypatch.setattr(members, "prove", noted)
    after = _shut().proof.whole().ask(0.6, map, 2000).after
    for H, p in zip(after.members.matrices[1:], after.members.proved[1:], strict=True):
        assert any((one == H).all() and p >= t for one, t in asked[9:])


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
