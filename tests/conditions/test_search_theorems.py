"""Facts 11 to 18: what search and counting rest on, against plain code."""

from __future__ import annotations

from itertools import combinations
from math import comb

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import wdccheck as wc
from examples.definitions import (
    TWO_PI,
    directions,
    plain_a,
    plain_angle,
    plain_deviation,
    plain_q,
    plane_deviation,
    plane_epsilon,
    top,
    unit,
)
from examples.matrices import KINDS, KNOWN_VALUES, MATRICES, SEEDS, condition, matrix, natural_alpha
from wdccheck.geometry import expectation
from wdccheck.geometry.arrangements import topes


# breaks with: a breakpoint at the wrong angle, gates that toggle the wrong way
@given(SEEDS, KINDS, st.integers(2, 5))
def test_fact_11_gates_along_a_great_circle(seed, kind, k):
    rng, W = matrix(seed, kind, k)
    r, t = directions(rng, k, 2)
    t = unit(t - (t @ r) * r)
    toggles = np.arctan2(W @ t, W @ r)
    for phi in rng.uniform(0, TWO_PI, 20):
        distance = np.abs((phi - toggles + np.pi) % TWO_PI - np.pi)
        opened = W @ (np.cos(phi) * r + np.sin(phi) * t) > 0
        clear = np.abs(distance - np.pi / 2) > 1e-9
        moving = np.hypot(W @ r, W @ t) > 0
        np.testing.assert_array_equal(opened[clear & moving], (distance < np.pi / 2)[clear & moving])
        assert not opened[~moving].any()


# breaks with: the M-term divided by 1 + cos theta or 1 - cos theta
@given(SEEDS, st.integers(2, 5), st.floats(0, np.pi))
def test_fact_11_quadratic_form_of_q_along_the_circle(seed, k, theta):
    s, t, u = directions(np.random.default_rng(seed), k, 3)
    r = np.cos(theta) * s + np.sin(theta) * unit(t - (t @ s) * s)
    angle = plain_angle(r, s)
    b, d = (x / (np.linalg.norm(x) or 1.0) for x in (r + s, r - s))
    value = ((np.pi - angle) + np.sin(angle) * ((u @ b) ** 2 - (u @ d) ** 2)) / TWO_PI
    assert u @ expectation.expected_gram(r, s) @ u == pytest.approx(value, abs=1e-13)
    assert u @ plain_q(r, s) @ u == pytest.approx(value, abs=1e-7)


# breaks with: a missed breakpoint, a one-sided value of the wrong side
@given(SEEDS, st.sampled_from(["gaussian", "trained-like", "duplicated", "zero rows"]), st.integers(2, 4))
def test_fact_11_the_best_point_of_the_circle(seed, kind, k):
    rng, W = matrix(seed, kind, k)
    layer = condition(W, natural_alpha(W))
    r, s, t = directions(rng, k, 3)
    t = unit(t - (t @ r) * r)
    points = {"r": r[None], "s": s[None]}
    frozen = layer.search.freeze(points)
    u, sign = frozen.u[0], frozen.sign[0]
    value = layer.search.circle(points, ("r",), t[None], frozen).value
    for phi in np.concatenate([np.linspace(0, TWO_PI, 200), np.arctan2(W @ t, W @ r) + np.pi / 2 + 1e-7,
                               np.arctan2(W @ t, W @ r) + np.pi / 2 - 1e-7]):
        x = np.cos(phi) * r + np.sin(phi) * t
        form = sign * u @ (plain_a(W, x, s) - layer.alpha * plain_q(x, s)) @ u
        assert form <= value[0] + 5e-3 * layer.alpha


# breaks with: a lost or doubled cell
@pytest.mark.parametrize("n, k", [(1, 2), (5, 2), (12, 2), (6, 3), (9, 3), (6, 4)])
def test_fact_15_number_of_cells(n, k):
    rows = np.random.default_rng(n * k).standard_normal((n, k))
    expected = 2 * sum(comb(n - 1, j) for j in range(k))
    assert len(topes(rows)) == expected
    if k == 2:  # directly: one cell between neighboring walls
        walls = np.arctan2(rows[:, 1], rows[:, 0]) + np.pi / 2
        walls = np.sort(np.concatenate([walls, walls + np.pi]) % TWO_PI)
        middles = (walls + np.append(walls[1:], walls[0] + TWO_PI)) / 2
        signs = {tuple(rows @ [np.cos(t), np.sin(t)] > 0) for t in middles}
        assert len(signs) == expected == 2 * n


# breaks with: another formula
def test_fact_15_the_quoted_counts():
    def cells(n, k):
        return 2 * sum(comb(n - 1, j) for j in range(k))

    assert [cells(100, 3), cells(100, 4)] == [9_902, 323_600]
    assert all(cells(n, 2) == 2 * n for n in range(1, 9))


# breaks with: a wrong scale of W or alpha; a sanity range, not a theorem
@pytest.mark.parametrize("n, k", [(200, 2), (1000, 2), (60, 3)])
def test_fact_16_gaussian_layers(n, k):
    W = np.random.default_rng(0).standard_normal((n, k)) / np.sqrt(n)
    found = wc.bracket(condition(W, 1.0), wc.Spectral(), wc.MonteCarlo(4096), wc.BranchAndBound(rtol=0.1))
    low, high = found.lower * np.sqrt(n / k), found.upper * np.sqrt(n / k)
    assert low >= 1.5 and high <= 5.0


# breaks with: a free step in the wrong direction
@given(SEEDS, KINDS, st.integers(2, 5), st.floats(1e-3, 1e3))
def test_fact_17_monotonicity(seed, kind, k, t):
    rng, W = matrix(seed, kind, k)
    r, s = directions(rng, k, 2)
    scale = np.sum(W * W) + 1e-300
    assert np.linalg.eigvalsh(plain_a(W, r + t * s, s) - plain_a(W, r, s))[0] >= -1e-12 * scale
    for Q in (plain_q, expectation.expected_gram):
        assert np.linalg.eigvalsh(Q(r + t * s, s) - Q(r, s))[0] >= -1e-13
    # gates fixed: apart for the upper sign, closer for the lower
    A, alpha = plain_a(W, r, s), natural_alpha(W)
    near, far = alpha * plain_q(r + t * s, s), alpha * plain_q(r, s)
    assert top(A - far) >= top(A - near) - 1e-12 * (scale + alpha)
    assert top(near - A) >= top(far - A) - 1e-12 * (scale + alpha)


# breaks with: the phase or the sign of the swap in the plane
@given(SEEDS, KINDS, st.sampled_from([0.1, 1.0, 10.0]))
def test_fact_18_the_deviation_in_the_plane(seed, kind, factor):
    rng, W = matrix(seed, kind, 2)
    alpha = factor * natural_alpha(W)
    phi_r, phi_s = rng.uniform(-np.pi, np.pi, 2)
    r, s = ([np.cos(t), np.sin(t)] for t in (phi_r, phi_s))
    A = plain_a(W, r, s)
    z = (A[0, 0] - A[1, 1]) / 2 + 1j * A[0, 1]
    value = plane_deviation(np.trace(A) / 2, z, alpha, phi_r, phi_s)
    tolerance = 1e-12 * (np.sum(W * W) + alpha)
    assert value == pytest.approx(plain_deviation(W, alpha, r, s), rel=1e-9, abs=tolerance)


# breaks with: a maximum in the interior of a rectangle of arcs, off theta = 0 and theta = pi
@given(SEEDS, st.sampled_from(["gaussian", "integer", "one row", "trained-like"]),
       st.sampled_from([0.3, 1.0, 3.0]))
@settings(max_examples=10)
def test_fact_18_only_the_edges_matter(seed, kind, factor):
    rng, W = matrix(seed, kind, 2)
    W = W[:6]
    alpha = factor * natural_alpha(W)
    exact = plane_epsilon(W, alpha)
    phi = np.linspace(0, TWO_PI, 60) + rng.uniform(0, 0.1)
    grid = np.stack([np.cos(phi), np.sin(phi)], axis=1)
    values = condition(W, alpha).deviation({"r": grid[:, None], "s": grid[None]})
    assert values.max() <= exact * (1 + 1e-9)


# breaks with: any unsound bound of any engine
@given(SEEDS, st.sampled_from(sorted(set(MATRICES) - {"tiny", "huge", "mixed scales"})),
       st.sampled_from([0.3, 1.0, 3.0]))
@settings(max_examples=25)
def test_fact_18_brackets_contain_the_exact_value_in_the_plane(seed, kind, factor):
    rng, W = matrix(seed, kind, 2)
    W = W[rng.permutation(len(W))[:6]]
    alpha = factor * natural_alpha(W)
    exact = plane_epsilon(W, alpha)
    gap = 0.02 * exact
    found = wc.bracket(condition(W, alpha), wc.Spectral(), wc.MonteCarlo(4096),
                       wc.BranchAndBound(gap=gap, rtol=0, nodes=100_000))
    assert found.lower <= exact * (1 + 1e-9)
    assert found.upper >= exact * (1 - 1e-6)  # the oracle's own search errs below
    assert found.gap <= gap * (1 + 1e-9)


# breaks with: circles that miss arcs, a free step the wrong way; values from points that are none
@pytest.mark.parametrize("kind", ["gaussian", "integer", "negated", "trained-like"])
def test_fact_18_ascent_reaches_the_exact_value_in_the_plane(kind):
    rng, W = matrix(7, kind, 2)
    W = W[rng.permutation(len(W))[:6]]
    exact = plane_epsilon(W, natural_alpha(W))
    found = wc.bracket(condition(W, natural_alpha(W)), wc.Spectral(), wc.Ascent(starts=64))
    assert exact * (1 - 1e-5) <= found.lower <= exact * (1 + 1e-9) and exact <= found.upper * (1 + 1e-9)


# breaks with: the oracle itself
def test_fact_18_oracle_knows_the_known_values():
    for known in KNOWN_VALUES:
        if known.W.shape[1] == 2:
            assert plane_epsilon(known.W, known.alpha) == pytest.approx(known.epsilon, rel=1e-9)
    W = np.random.default_rng(0).standard_normal((5, 2))
    assert plane_epsilon(W) >= max(top(W[[i]].T @ W[[i]]) for i in range(5))  # Fact 7
    assert plane_epsilon(W) >= max(plain_deviation(W, 1.0, r, s) for r, s in combinations(W, 2)) - 1e-12
