"""Q at points: against its definition, at every scale, near its poles."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from examples.definitions import exact_q, plain_a, plain_q
from examples.matrices import MATRICES
from wdccheck.geometry import expectation
from wdccheck.linalg import rounding

SEEDS = st.integers(0, 2**32 - 1)
DIMENSIONS = st.integers(1, 6)


def pair(seed, k):
    rng = np.random.default_rng(seed)
    return rng.standard_normal(k), rng.standard_normal(k)


@pytest.mark.parametrize("scale", [5e-324, 1e-300, 1e-150, 1.0, 1e150, 1e300])
def test_unit_at_every_scale(scale):
    x = np.array([[3.0, 4.0], [0.0, -1.0]]) * scale
    u = expectation.unit(x)
    np.testing.assert_allclose(np.linalg.norm(u, axis=-1), 1.0, rtol=1e-15)
    if scale > 1e-308:
        np.testing.assert_allclose(u, [[0.6, 0.8], [0.0, -1.0]], rtol=1e-15)


def test_unit_of_zero_is_zero():
    np.testing.assert_array_equal(expectation.unit(np.zeros((2, 3))), np.zeros((2, 3)))


@given(SEEDS, DIMENSIONS)
def test_unit_against_the_norm(seed, k):
    x, _ = pair(seed, k)
    np.testing.assert_allclose(expectation.unit(x), x / np.sqrt(np.sum(x * x)), rtol=4e-15)


@pytest.mark.parametrize("theta", [1e-300, 1e-20, 1e-15, 1e-8, 0.1, 1.0, np.pi / 2, 3.0])
def test_angle_near_zero(theta):
    r, s = np.array([1.0, 0.0]), np.array([np.cos(theta), np.sin(theta)])
    assert expectation.angle(r, s) == pytest.approx(theta, rel=2e-15)
    assert expectation.angle(1e200 * r, 1e-200 * s) == pytest.approx(theta, rel=2e-15)


@pytest.mark.parametrize("gap", [1e-15, 1e-8, 1e-3])
def test_angle_near_pi(gap):
    r, s = np.array([0.0, 2.0]), np.array([3 * gap, -3.0])
    assert np.pi - expectation.angle(r, s) == pytest.approx(np.arctan(gap), abs=1e-15)


def test_angle_of_equal_and_opposite_directions():
    r = np.array([1.0, 2.0, -3.0])
    assert expectation.angle(r, 4 * r) == 0.0
    assert expectation.angle(r, -r) == np.pi


@given(SEEDS, st.integers(2, 6))
def test_swap_swaps_and_kills_the_rest(seed, k):
    r, s = pair(seed, k)
    r_hat, s_hat = expectation.unit(r), expectation.unit(s)
    M = expectation.swap(r, s)
    np.testing.assert_allclose(M @ r_hat, s_hat, atol=1e-12)
    np.testing.assert_allclose(M @ s_hat, r_hat, atol=1e-12)
    basis = np.linalg.qr(np.stack([r_hat, s_hat], axis=1))[0]
    rest = np.eye(k) - basis @ basis.T
    np.testing.assert_allclose(M @ rest, np.zeros((k, k)), atol=1e-12)


@given(SEEDS, DIMENSIONS)
def test_q_is_the_definition(seed, k):
    r, s = pair(seed, k)
    line = np.array([[0.5 if r[0] * s[0] > 0 else 0.0]])
    expected = line if k == 1 else plain_q(r, s)
    np.testing.assert_allclose(expectation.expected_gram(r, s), expected, atol=1e-14)
    np.testing.assert_array_equal(expectation.expected_gram(s, r), expectation.expected_gram(r, s))


def test_q_is_zero_for_zero_directions():
    r = np.array([[1.0, 2.0], [0.0, 0.0], [0.0, 0.0]])
    s = np.array([[0.0, 0.0], [1.0, 2.0], [0.0, 0.0]])
    np.testing.assert_array_equal(expectation.expected_gram(r, s), np.zeros((3, 2, 2)))


def test_q_of_opposite_directions_vanishes():
    r = np.array([0.3, -0.7, 0.2])
    assert np.abs(expectation.expected_gram(r, -r)).max() < 1e-16


@pytest.mark.parametrize("seed", range(20))
def test_q_is_the_expectation_of_gaussian_rows(seed):
    # in the plane, a grid of angles integrates it: 2/N sum over w of unit length, error O(1/N)
    r, s = pair(seed, 2)
    N = 20_000
    t = 2 * np.pi * (np.arange(N) + 0.5) / N
    w = np.stack([np.cos(t), np.sin(t)], axis=1)
    on = w[(w @ r > 0) & (w @ s > 0)]
    np.testing.assert_allclose(expectation.expected_gram(r, s), 2 / N * on.T @ on, atol=3 / N)


@given(SEEDS, DIMENSIONS)
def test_batched_q_is_q_of_each(seed, k):
    rng = np.random.default_rng(seed)
    r, s = rng.standard_normal((2, 3, k)), rng.standard_normal((3, k))
    q = expectation.expected_gram(r, s)
    assert q.shape == (2, 3, k, k)
    for i in range(2):
        for j in range(3):
            np.testing.assert_allclose(q[i, j], expectation.expected_gram(r[i, j], s[j]), atol=1e-16)


@given(SEEDS, DIMENSIONS)
def test_triangle_is_the_lower_half(seed, k):
    rng = np.random.default_rng(seed)
    r, s = rng.standard_normal((k, 7)), rng.standard_normal((k, 7))
    s[:, 0], s[:, 1] = r[:, 0], -r[:, 1]
    q, theta = expectation.expected_triangle(r, s)
    full = expectation.expected_gram(r.T, s.T)
    i, j = np.tril_indices(k)
    np.testing.assert_allclose(q, full[:, i, j].T, atol=2 * rounding.expectation_error(k))
    np.testing.assert_allclose(theta, expectation.angle(r.T, s.T), atol=1e-14)


@given(SEEDS, DIMENSIONS)
def test_apply_is_a_product_with_q(seed, k):
    rng = np.random.default_rng(seed)
    r, s, u = rng.standard_normal((3, 5, k))
    r, s = expectation.unit(r), expectation.unit(s)
    s[0], s[1] = r[0], -r[1]
    expected = np.einsum("bij,bj->bi", expectation.expected_gram(r, s), u)
    np.testing.assert_allclose(expectation.expected_apply(r, s, u), expected, atol=1e-14)


@pytest.mark.parametrize("scale", [1e-200, 1.0, 1e200])
@pytest.mark.parametrize("gap", [0.0, 1e-15, 1e-8, 1e-4])
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_q_near_the_poles_at_any_scale(scale, gap, sign):
    r = np.array([0.3, -0.4, 0.5])
    s = sign * r + gap * np.array([1.0, 2.0, -0.5])
    with mpmath.workdps(60):
        exact = np.array(exact_q(r * scale, s / scale).tolist(), dtype=float)
    error = np.linalg.norm(expectation.expected_gram(r * scale, s / scale) - exact, 2)
    assert error <= rounding.expectation_error(3)


@given(SEEDS, st.sampled_from(sorted(MATRICES)), st.integers(1, 4))
def test_gated_gram_is_the_definition(seed, kind, k):
    rng = np.random.default_rng(seed)
    W = MATRICES[kind](rng, k)
    r, s = rng.standard_normal((2, 4, k))
    A = expectation.gated_gram(W, r, s)
    for b in range(4):
        expected = plain_a(W, r[b], s[b])
        np.testing.assert_allclose(A[b], expected, atol=1e-14 * float(np.sum(W * W)))


def test_gates_are_strict():
    W = np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0]])
    e2 = np.array([0.0, 1.0])
    np.testing.assert_array_equal(expectation.gated_gram(W, e2, e2), np.diag([0.0, 1.0]))


# -- to second order (Fact 29) -------------------------------------------------------------------------


def _hull(rng, center, reach):
    """Corners within the angle `reach` of the center, weights, and a point of their hull (Fact 29)."""
    x = rng.standard_normal((int(rng.integers(1, 4)), len(center)))
    x = expectation.unit(x - (x @ center)[:, None] * center)
    turn = reach * np.where(rng.random(len(x)) < 0.7, 1.0, rng.random(len(x)))
    corners = np.cos(turn)[:, None] * center + np.sin(turn)[:, None] * x
    weights = rng.dirichlet(np.ones(len(x)))
    return corners, weights, weights @ (corners / (corners @ center)[:, None])


def test_between_corners_the_expectation_bends_by_no_more():
    rng, worst = np.random.default_rng(0), 0.0
    for _ in range(1500):
        k, theta = int(rng.integers(2, 6)), rng.uniform(0, np.pi)
        c = expectation.unit(rng.standard_normal(k))
        v = rng.standard_normal(k)
        d = np.cos(theta) * c + np.sin(theta) * expectation.unit(v - v @ c * c)
        one, two = 10 ** rng.uniform(-3, -0.05, 2) * (rng.random(2) < 0.8)
        (R, weights, r), (S, shares, s) = _hull(rng, c, one), _hull(rng, d, two)
        bend = float(expectation.expected_bend(np.array(theta), np.array(one), np.array(two)))
        mean = np.einsum("i,j,ijab->ab", weights, shares, expectation.expected_gram(R[:, None], S[None]))
        off = np.linalg.norm(expectation.expected_gram(r, s) - mean, 2)
        assert off <= bend + 1e-12
        worst = max(worst, off / bend if 1e-6 < bend < np.inf else 0.0)
    assert worst > 0.7  # with no constant much smaller


@pytest.mark.parametrize("theta, one, two", [(0.2, 0.1, 0.1), (3.0, 0.1, 0.1), (1.5, 1.0, 0), (0, 0, 0)])
def test_parallel_directions_and_wide_caps_have_no_second_order(theta, one, two):
    assert expectation.expected_bend(np.array(theta), np.array(one), np.array(two)) == np.inf
