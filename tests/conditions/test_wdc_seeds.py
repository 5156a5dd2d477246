"""Where the search of the WDC starts: annealed pairs of directions."""

from __future__ import annotations

import numpy as np
import pytest

import wdccheck as wc
from wdccheck.conditions.gated_pairs import mixed_pairs
from wdccheck.conditions.wdc import seeds
from wdccheck.geometry.expectation import unit


def gaussian(k, n):
    return np.random.default_rng(0).standard_normal((n, k)) / np.sqrt(n)


def soft_form(rows, alpha, x, u, width):
    """u^T (A - alpha Q) u of soft gates, Q by its definition."""
    gates = 1 / (1 + np.exp(-(x @ rows.T) / width))
    theta = 2 * np.arctan2(np.linalg.norm(x[0] - x[1]), np.linalg.norm(x[0] + x[1]))
    b, d = unit(x[0] + x[1]), unit(x[0] - x[1])
    expected = ((np.pi - theta) * (u @ u) + np.sin(theta) * ((u @ b) ** 2 - (u @ d) ** 2)) / (2 * np.pi)
    return np.sum(gates[0] * gates[1] * (rows @ u) ** 2) - alpha * expected


@pytest.mark.parametrize("alpha", [0.3, 1.0, 5.0])
def test_slopes_are_derivatives_along_the_spheres(alpha):
    rng = np.random.default_rng(1)
    rows, x, u = gaussian(4, 12), unit(rng.standard_normal((2, 4))), unit(rng.standard_normal(4))
    width = np.full(12, 0.2)
    slope, image = seeds._slopes(rows, alpha, x[:, None], u[None], width)
    assert float(image[0] @ u) == pytest.approx(soft_form(rows, alpha, x, u, width))
    for letter in range(2):
        t = rng.standard_normal(4)
        t = unit(t - (t @ x[letter]) * x[letter])
        moved = [np.stack([unit(y + h * t * (i == letter)) for i, y in enumerate(x)]) for h in (1e-5, -1e-5)]
        ahead, behind = (soft_form(rows, alpha, y, u, width) for y in moved)
        assert float(slope[letter, 0] @ t) == pytest.approx((ahead - behind) / 2e-5, rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("k, n", [(20, 400), (60, 200)])
def test_climbing_pairs_are_far_above_the_others(k, n):
    condition = wc.WDC(gaussian(k, n))
    plain = condition.deviation(mixed_pairs(condition.W, np.random.default_rng(0), 256)).max()
    found = condition.deviation(condition.search.seeds(np.random.default_rng(0), 256)).max()
    assert found > 1.15 * plain


def test_both_sides_climb_where_either_may_be_the_larger():
    W = gaussian(3, 60)
    pairs = seeds.annealed_pairs(W, 1.3, np.random.default_rng(0), 640)
    first = {x: p[:160:8] for x, p in pairs.items()}  # those that climbed
    values = wc.WDC(W, 1.3)
    upper, lower = (values.search.freeze(first, sign=sign).value for sign in (1.0, -1.0))
    assert (upper > lower).any() and (lower > upper).any()


def test_pairs_near_given_ones_rise_and_leave_them_as_they_were():
    condition, rng = wc.WDC(gaussian(10, 150)), np.random.default_rng(0)
    near = {x: unit(rng.standard_normal((16, 10))) for x in "rs"}
    before = {x: p.copy() for x, p in near.items()}
    moved = condition.search.seeds(rng, 16, near=near)
    assert all(np.array_equal(near[x], before[x]) for x in "rs")
    assert np.mean(condition.deviation(moved) > condition.deviation(near)) > 0.8


@pytest.mark.parametrize("rows", [
    np.zeros((5, 3)), np.ones((1, 3)), np.vstack([np.eye(3)] * 3 + [-np.eye(3)]),
    np.eye(3) * [1.0, 1e-160, 0.0], np.ones((4, 1)), np.ones((2, 6)),
])
def test_pairs_of_any_matrix_are_directions(rows):
    for n in (1, 5, 70):
        pairs = seeds.annealed_pairs(rows, 1.0, np.random.default_rng(0), n)
        again = seeds.annealed_pairs(rows, 1.0, np.random.default_rng(0), n)
        for x in "rs":
            assert pairs[x].shape == (n, rows.shape[1]) and np.isfinite(pairs[x]).all()
            assert np.allclose(np.linalg.norm(pairs[x], axis=1), 1) and np.array_equal(pairs[x], again[x])
        near = seeds.annealed_pairs(rows, 1.0, np.random.default_rng(0), n, pairs)
        assert all(np.isfinite(near[x]).all() and near[x].any(axis=1).all() for x in "rs")


@pytest.mark.parametrize("scale, alpha", [(1.0, 1e300), (1.0, 1e-300), (1e-60, 1.0), (1e60, 1.0)])
def test_numbers_beyond_single_precision_leave_directions(scale, alpha):
    pairs = seeds.annealed_pairs(scale * gaussian(5, 30), alpha, np.random.default_rng(0), 70)
    assert all(np.allclose(np.linalg.norm(pairs[x], axis=1), 1) for x in "rs")


def test_spread_pairs_are_at_all_angles():
    pairs = seeds.spread_pairs(5, np.random.default_rng(0), 400)
    theta = np.arccos(np.clip(np.sum(pairs["r"] * pairs["s"], axis=1), -1, 1))
    assert theta.min() < 0.3 and theta.max() > 3.0 and (np.diff(theta[::10]) > 0).all()
    np.testing.assert_allclose(np.linalg.norm(pairs["s"], axis=1), 1)


@pytest.mark.parametrize("n", [1, 7, 8, 40])
def test_few_columns_have_as_many_seeds_as_asked_for(n):
    pairs = wc.WDC(gaussian(4, 30)).search.seeds(np.random.default_rng(0), n)
    assert all(p.shape == (n, 4) for p in pairs.values())
