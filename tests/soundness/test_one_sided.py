"""Attacks on the one-sided isometry constants: exact cells of awkward networks, scales, pads, forgeries."""

from __future__ import annotations

import json

import numpy as np
import pytest

import wdccheck as wc
from examples import exact_fans
from examples.isometry import SIDES, exact, never_exceeded
from examples.three_codes import extremes
from wdccheck.checker import reevaluate
from wdccheck.conditions.one_sided.proof import Gram
from wdccheck.conditions.one_sided.search import Search
from wdccheck.conditions.one_sided.side import FLOOR, Side

SEEDS = 6
QUICK = (wc.Spectral(), wc.MonteCarlo(64), wc.BranchAndBound(rtol=0.03))

both_sides = pytest.mark.parametrize("side", SIDES)


def matrix(rng, n, kind):
    """Gaussian, integer, identity, orthogonal, with zero rows, zero, tiny, huge."""
    m = int(rng.integers(1, n + 2))
    rows = rng.standard_normal((m, n))
    orthogonal = np.linalg.qr(rng.standard_normal((n, n)))[0]
    return (rows, rng.integers(-2, 3, (m, n)).astype(float), np.eye(n), orthogonal,
            np.vstack([rows, np.zeros((2, n))]), np.zeros((m, n)), rows * 1e-100, rows * 1e100)[kind]


def attacked(side, A, net):
    """The bracket, held against the exact value at its witness and against all pairs of exact cones."""
    result = wc.bracket(side(A, net), *QUICK)
    known = 0 if result.witness is None else exact(side, A, net, result.witness)
    assert result.lower <= known <= result.upper
    floor = result.condition["options"].get("floor", 0.0)
    if result.upper > 0 and (not floor or result.upper < 1 / floor):
        assert never_exceeded(side, A, net, result.upper)
    assert reevaluate(json.loads(json.dumps(result.to_dict()))).outcome == "proved"
    return result


@both_sides
@pytest.mark.parametrize("kind", exact_fans.KINDS, ids=lambda kind: kind.__name__)
def test_exact_cells_of_awkward_networks(kind, side):
    """The upper bound holds for all pairs of cones in rational numbers; the lower one is of a difference."""
    closed = 0
    for seed in range(SEEDS):
        rng = np.random.default_rng(seed)
        net = wc.ReLUNetwork(exact_fans.small(kind, 1 + seed % 2, seed))
        result = attacked(side, matrix(rng, net.dims[-1], (3 * seed + len(kind.__name__)) // 2 % 8), net)
        closed += result.upper <= max(result.lower * 1.04, 1e-12)
    assert closed >= 0.5 * SEEDS


def integer_network(seed):
    """Three latent dimensions, one or two layers of small integers, A of one to four rows."""
    rng = np.random.default_rng(seed)
    shapes = [[(4, 3)], [(3, 3), (3, 3)], [(3, 3), (4, 3)]][seed % 3]
    layers = [rng.integers(-2, 3, shape).astype(float) for shape in shapes]
    return layers, rng.integers(-2, 3, (1 + seed % 4, shapes[-1][0])).astype(float)


def test_all_faces_of_three_codes_bound_samples_and_are_nearly_met():
    for seed in range(6):
        layers, A = integer_network(seed)
        least, most = extremes(A, layers)
        x = np.random.default_rng(seed).standard_normal((2, 20_000, 3))
        x[1, ::2] = x[0, ::2] + 0.1 * x[1, ::2]
        u = np.subtract(*wc.ReLUNetwork(layers)(x))
        u = u[(u * u).sum(axis=1) > 1e-12]
        ratios = np.square(u @ A.T).sum(axis=1) / np.square(u).sum(axis=1)
        assert least - 1e-9 <= ratios.min(initial=np.inf) and ratios.max(initial=0) <= most + 1e-9
        assert ratios.max(initial=0) >= 0.9 * most and ratios.min(initial=np.inf) <= least + 0.1 * most


@pytest.mark.parametrize("third", range(3))
def test_all_faces_of_three_codes(third):
    """lower <= exact <= upper of both sides on 63 networks of latent dimension 3."""
    closed = 0
    for seed in range(third, 63, 3):
        layers, A = integer_network(seed)
        least, most = extremes(A, layers)
        low, up = (wc.bracket(side(A, wc.ReLUNetwork(layers)), wc.Spectral(), wc.MonteCarlo(16),
                              wc.BranchAndBound(rtol=0.1)) for side in SIDES)
        assert up.lower <= most * (1 + 1e-9) and most * (1 - 1e-9) <= up.upper, seed
        if most == 0:  # A is 0 on all differences, or there are none
            continue
        assert 1 / low.upper <= least + 1e-9 * most, seed
        if low.lower < 2.0**30:  # else the least ratio counts as 0
            assert least - 1e-9 * most <= 1 / low.lower, seed
        closed += low.upper <= 1.2 * low.lower and up.upper <= 1.2 * up.lower
    assert closed >= 14


@both_sides
def test_a_smaller_pad_is_noticed(side, monkeypatch):
    """Without the pad a bound one part in 10^15 below epsilon would be claimed."""
    net, A = wc.ReLUNetwork([np.eye(1)]), np.array([[0.1], [0.3], [0.7]])
    value = exact(side, A, net, {"x1": np.ones(1), "x2": np.zeros(1)})
    state = side(A, net).proof.whole()
    low = [t for step in range(-9, 10) if (t := float(value) * (1 + step * 2.0**-52)) < value]
    assert all(np.isinf(state.ask(t, map).bound) for t in low)
    assert np.isfinite(state.ask(float(value) * (1 + 1e-13), map).bound)
    bare = Gram(state.images, state.form, -state.pad, state.energy, state.search)
    assert any(np.isfinite(bare.ask(t, map).bound) for t in low)


@pytest.mark.parametrize("upper", [True, False])
@pytest.mark.parametrize("exponent", [-460, 0, 460])
def test_bounds_that_are_asked_for_are_no_weaker_than_the_threshold(upper, exponent):
    side = Side(upper, exponent)
    for pad in (0.0, 1e-15, 1e-3):
        state = Gram(None, None, pad, 1.0, Search(None, None, side))
        for scaled in (1e-16, 0.3, 1.0, 7.1):
            t = side.unscaled(scaled if upper else 1 / scaled)
            limit = side.scaled(t) if upper else -1 / side.scaled(t)
            assert state.bound(t) < limit - pad or (pad == 0 and state.bound(t) < limit)


def test_a_bound_below_zero_stays_below_zero(monkeypatch):
    """u^T A^T A u >= ||u||^2/t is u^T H u <= -||u||^2/t: 0 in its place claims too much."""
    net, A = wc.ReLUNetwork([np.eye(2)]), np.diag([1.0, 0.5])
    assert wc.bracket(wc.LowerIsometry(A, net), *QUICK).upper >= 4
    monkeypatch.setattr(Gram, "bound", lambda self, t: 0.0)
    state = wc.LowerIsometry(A, net).proof.whole()
    assert state.ask(2.0, map).bound == 2.0  # which 4 refutes


@both_sides
def test_dead_networks_have_no_differences(side):
    for layers in ([np.ones((4, 2)), -np.ones((3, 4))], [np.zeros((3, 2))]):
        result = wc.bracket(side(np.eye(3), wc.ReLUNetwork(layers)), *QUICK)
        assert result.lower == result.upper == 0
    hidden, last = np.vstack([np.eye(2), np.eye(2)]), np.hstack([np.eye(2), -np.eye(2)])
    result = wc.bracket(side(np.eye(2), wc.ReLUNetwork([hidden, last])), *QUICK)
    assert result.lower == 0 <= result.upper


@both_sides
def test_forged_bounds_are_refuted(side, tmp_path):
    rng = np.random.default_rng(0)
    net, A = wc.ReLUNetwork([rng.standard_normal((4, 2))]), rng.standard_normal((3, 4))
    result = wc.bracket(side(A, net), *QUICK)
    result.save(tmp_path / "one.json")
    assert [str(c.outcome) for c in wc.verify(tmp_path / "one.json") if c.counts] == ["proved", "proved"]
    data = json.loads((tmp_path / "one.json").read_text())
    forged = [{**data, "upper": result.lower * 0.9, "lower": result.lower * 0.8},
              {**data, "lower": result.lower * 1.01}]
    options = {**data["condition"]["options"], "floor": 1e-30}
    forged.append({**data, "condition": {**data["condition"], "options": options}})
    for number, one in enumerate(forged):
        (tmp_path / "forged.json").write_text(json.dumps(one))
        outcomes = {str(c.outcome) for c in wc.verify(tmp_path / "forged.json") if c.counts}
        assert "refuted" in outcomes, (number, outcomes)


def test_the_floor_says_nothing_of_the_least_ratio():
    """A kernel along a difference: the least ratio is 0, and 0 is what is proved."""
    net = wc.ReLUNetwork([np.eye(2)])
    found = wc.isometry(np.array([[1.0, -1.0]]), net)
    assert found.lower.proved == 0 < found.lower.exhibited <= 4 * FLOOR * (1 + 1e-9)
    assert found.upper.exhibited <= 2 <= found.upper.proved
