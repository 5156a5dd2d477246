"""Every fact of docs/theory.md about the WDC, against the definitions written out in examples.

A comment at each test says what would break it.
"""

from __future__ import annotations

from itertools import product

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
    plane_epsilon,
    top,
    unit,
)
from examples.matrices import KINDS, KNOWN_VALUES, SEEDS, condition, matrix, natural_alpha
from wdccheck.geometry import expectation
from wdccheck.geometry.boxes import Boxes


def measured(W, alpha, r, s):
    return float(condition(W, alpha).deviation({"r": r, "s": s}))


# breaks with: a factor of 2 in Q, sin for cos, b and d exchanged
@given(SEEDS, st.integers(2, 6))
def test_fact_01_eigenvalues_of_q(seed, k):
    r, s = directions(np.random.default_rng(seed), k, 2)
    theta = plain_angle(r, s)
    expected = np.pi - theta + np.sin(theta) * np.array([1.0, -1.0] + [0.0] * (k - 2))
    for Q in (plain_q(r, s), expectation.expected_gram(r, s)):
        values = np.linalg.eigvalsh(Q)
        np.testing.assert_allclose(values, np.sort(expected) / TWO_PI, atol=1e-14)
        assert values[0] >= -1e-15 and values[-1] <= 0.5 + 1e-15


# breaks with: a slack of half the size, or of delta/pi where the sharp one is claimed
@given(SEEDS, st.integers(2, 5), st.floats(1e-6, np.pi))
def test_fact_02_lipschitz(seed, k, delta):
    r, t, s = directions(np.random.default_rng(seed), k, 3)
    moved = np.cos(delta) * r + np.sin(delta) * unit(t - (t @ r) * r)
    bound = (delta + np.sin(delta)) / TWO_PI
    for Q in (plain_q, expectation.expected_gram):
        change = np.linalg.norm(Q(r, s) - Q(moved, s), 2)
        assert change <= bound + 1e-13 and bound <= delta / np.pi + 1e-15
        both = np.linalg.norm(Q(r, s) - Q(moved, t), 2)
        other = plain_angle(s, t)
        assert both <= bound + (other + np.sin(other)) / TWO_PI + 1e-13


# breaks with: any smaller modulus of continuity
@given(SEEDS, st.integers(2, 5), st.floats(1e-3, np.pi - 1e-3))
def test_fact_02_lipschitz_is_sharp(seed, k, delta):
    # s a quarter turn from the middle of r and r': the wedge between their half-spaces is open at s
    r, t = directions(np.random.default_rng(seed), k, 2)
    t = unit(t - (t @ r) * r)
    at = [np.cos(x) * r + np.sin(x) * t for x in (0.0, delta, delta / 2 - np.pi / 2)]
    bound = (delta + np.sin(delta)) / TWO_PI
    for Q in (plain_q, expectation.expected_gram):
        assert np.linalg.norm(Q(at[0], at[2]) - Q(at[1], at[2]), 2) == pytest.approx(bound, rel=1e-9)


# breaks with: any dependence on the order of rows, the basis, or an absolute scale
@given(SEEDS, KINDS, st.integers(1, 4))
def test_fact_03_symmetries(seed, kind, k):
    rng, W = matrix(seed, kind, k)
    alpha, (r, s) = natural_alpha(W), directions(rng, k, 2)
    U = np.linalg.qr(rng.standard_normal((k, k)))[0]
    value, scale = plain_deviation(W, alpha, r, s), np.sum(W * W) + alpha
    close = {"rel": 1e-9, "abs": 1e-11 * scale}
    assert measured(W, alpha, r, s) == pytest.approx(value, **close)
    assert measured(W, alpha, s, r) == pytest.approx(value, **close)
    assert measured(rng.permutation(W), alpha, r, s) == pytest.approx(value, **close)
    if kind not in ("near-parallel", "mixed scales") and not (W @ np.stack([r, s], axis=1) == 0).any():
        assert measured(W @ U, alpha, U.T @ r, U.T @ s) == pytest.approx(value, **close)
    c = 10.0 ** rng.uniform(-3, 3)
    root = np.sqrt(alpha)
    for factor, other in ((c, c * c * alpha), (1 / root, 1.0)):
        scaled = measured(factor * W, other, r, s) / factor**2
        assert scaled == pytest.approx(value, **close)


# breaks with: any epsilon(beta) that is no supremum of convex functions; a vacuous minimum other than 1/2
@given(SEEDS, KINDS)
@settings(max_examples=8)
def test_fact_04_calibration(seed, kind):
    rng, W = matrix(seed, kind, 2)
    W = W[rng.permutation(len(W))[:6]]
    norm = np.linalg.norm(W, 2) ** 2 or 1.0
    betas = np.sort(rng.uniform(0.1, 5.0, 3)) / norm
    values = [beta * plane_epsilon(W, 1 / beta) for beta in betas]
    share = (betas[1] - betas[0]) / (betas[2] - betas[0])
    assert values[1] <= (1 - share) * values[0] + share * values[2] + 1e-6
    for factor in (2.0, 3.7):  # vacuous: alpha >= 2 |W|^2
        assert plane_epsilon(W, factor * norm) / (factor * norm) <= 0.5 + 1e-9
    for beta, value in zip(betas, values, strict=True):
        if len(W) < 4:  # n < 2k: no alpha does better than 1/2
            assert value >= 0.5 - 1e-9
        points = [unit(x) for x in rng.standard_normal((4, 2))]
        assert all(beta * plain_deviation(W, 1 / beta, r, s) <= value + 1e-6 for r in points for s in points)


# breaks with: a gate that ignores sign, since then A_rr + A_-r-r would count rows twice
@given(SEEDS, KINDS, st.integers(1, 5), st.sampled_from([0.1, 1.0, 10.0]))
def test_fact_05_spectral_lower_bound(seed, kind, k, factor):
    rng, W = matrix(seed, kind, k)
    alpha, (r,) = factor * natural_alpha(W), directions(rng, k, 1)
    scale = np.sum(W * W) + alpha
    np.testing.assert_allclose(plain_a(W, r, r) + plain_a(W, -r, -r), W.T @ W, atol=1e-12 * scale)
    bound = np.linalg.norm(W.T @ W - alpha * np.eye(k), 2) / 2
    assert max(measured(W, alpha, r, r), measured(W, alpha, -r, -r)) >= bound - 1e-12 * scale
    if k > 1:
        found = wc.bracket(condition(W, alpha), wc.Spectral())
        assert found.lower >= bound * (1 - 1e-9) - 1e-9 * scale


# breaks with: nonstrict gates, or Q_rr other than I/2
@given(SEEDS, st.integers(2, 5), st.sampled_from([0.1, 1.0, 10.0]))
def test_fact_06_rank_lower_bound(seed, k, alpha):
    rng = np.random.default_rng(seed)
    W = rng.standard_normal((int(rng.integers(1, 2 * k)), k))  # n < 2k
    (r,) = directions(rng, k, 1)
    few = r if np.count_nonzero(W @ r > 0) < k else -r  # one of both has fewer than k active rows
    assert abs(np.linalg.eigvalsh(plain_a(W, few, few))[0]) < 1e-12 * np.sum(W * W)
    assert measured(W, alpha, few, few) >= alpha / 2 - 1e-12 * np.sum(W * W)
    assert wc.bracket(condition(W, alpha), wc.Spectral()).upper >= alpha / 2


# breaks with: gates decided on normalized floats at too coarse a tolerance; starts that skip flats
@given(SEEDS, st.integers(2, 5), st.floats(0.1, 10.0))
def test_fact_07_antipodal_lower_bound(seed, k, alpha):
    rng = np.random.default_rng(seed)
    W = rng.standard_normal((2 * k, k))
    W[-1] = 0.5 * W[0]  # a parallel row counts, too
    chosen = [0, 2 * k - 1, *range(1, int(rng.integers(1, k)))]
    independent = [i for i in chosen if i != 2 * k - 1]
    r0 = np.linalg.svd(W[independent])[2][-1]  # orthogonal to all of them
    a = np.linalg.lstsq(W[independent], np.ones(len(independent)), rcond=None)[0]
    bound = top(W[chosen].T @ W[chosen])
    for delta in (1e-3, 1e-5, 1e-7):
        r, s = r0 + delta * a, -r0 + delta * a
        value = measured(W, alpha, r, s)
        assert value == pytest.approx(plain_deviation(W, alpha, r, s), rel=1e-6)
        assert value >= bound - 2 * alpha * delta * np.linalg.norm(a)
    found = wc.bracket(condition(W, alpha), wc.Spectral()).lower
    assert found >= np.max(np.sum(W * W, axis=1)) * (1 - 1e-6) - 1e-6 * alpha


# breaks with: nonstrict gates (a pair on the walls would attain 1)
@given(SEEDS, st.integers(2, 5))
def test_fact_07_no_pair_attains_the_supremum_of_the_identity(seed, k):
    rng = np.random.default_rng(seed)
    pairs = [directions(rng, k, 2) for _ in range(20)]
    pairs += [(r, -r + 1e-3 * s) for r, s in pairs]
    pairs += [(np.eye(k)[0] + 1e-3 * r, 1e-3 * s - np.eye(k)[1]) for r, s in pairs]
    assert all(measured(np.eye(k), 1.0, r, s) < 1 for r, s in pairs)
    assert measured(np.eye(k), 1.0, np.eye(k)[0], -np.eye(k)[0]) < 1e-15


# breaks with: an upper bound below, or a lower bound above, any of the table's values
@pytest.mark.parametrize("known", KNOWN_VALUES, ids=lambda known: known.name)
def test_fact_07_and_08_known_values_lie_in_their_brackets(known):
    gap = 0.02 * known.epsilon
    engines = wc.Spectral(), wc.BranchAndBound(gap=gap, rtol=0, nodes=200_000)
    found = wc.bracket(condition(known.W, known.alpha), *engines)
    assert found.lower <= known.epsilon * (1 + 1e-12) and found.upper >= known.epsilon * (1 - 1e-12)
    assert found.gap <= gap * (1 + 1e-9)


# breaks with: a gate open at zero; for k = 1, Q other than 1/2 or 0
@given(st.lists(st.integers(-5, 5), min_size=1, max_size=6), st.floats(0.1, 10.0))
def test_fact_08_one_dimension_by_enumeration(values, alpha):
    W = np.array(values, float)[:, None] / 4
    expected = 0.0
    for r, s in product((1.0, -1.0), repeat=2):
        A = sum(w * w for (w,) in W if w * r > 0 and w * s > 0)
        value = abs(A - alpha * (0.5 if r * s > 0 else 0.0))
        assert measured(W, alpha, [r], [s]) == pytest.approx(value, rel=1e-12, abs=1e-15)
        expected = max(expected, value)
    found = wc.bracket(condition(W, alpha), wc.Spectral(), wc.BranchAndBound(gap=1e-6 * expected, rtol=0))
    assert found.lower <= expected * (1 + 1e-12) and expected <= found.upper * (1 + 1e-12)
    assert found.gap <= 1e-6 * expected * (1 + 1e-9)


# breaks with: alpha in place of alpha/2 in a cap (too weak is not caught here), |W| in place of |W|^2
@given(SEEDS, KINDS, st.integers(1, 4), st.sampled_from([0.01, 1.0, 100.0]))
def test_fact_09_trivial_upper_bound(seed, kind, k, factor):
    rng, W = matrix(seed, kind, k)
    alpha = factor * natural_alpha(W)
    bound = max(np.linalg.norm(W, 2) ** 2, alpha / 2)
    for r, s in zip(directions(rng, k, 10), directions(rng, k, 10), strict=True):
        assert plain_deviation(W, alpha, r, s) <= bound * (1 + 1e-12)
    (cap,) = condition(W, alpha).theorems.caps()
    assert cap.value <= bound * (1 + 1e-9)
    assert k == 1 or cap.value >= bound * (1 - 1e-14)  # epsilon itself for k = 1


def plain_sandwich(W, alpha, c_r, h_r, c_s, h_s):
    """Fact 10 for one pair of boxes, without the theta-interval tests or the reduction of lines."""
    k, radii = len(c_r), []
    for c, h in ((c_r, h_r), (c_s, h_s)):
        corners = [c + np.array(e) * h for e in product((-1, 1), repeat=k)]
        flat = any(c @ v < 0 for v in corners)
        radii.append(np.pi if flat else max(plain_angle(c, v) for v in corners))
    sure, maybe = np.zeros((k, k)), np.zeros((k, k))
    for w in W:
        ranges = [(w @ c - np.abs(w) @ h, w @ c + np.abs(w) @ h) for c, h in ((c_r, h_r), (c_s, h_s))]
        if all(low > 1e-12 for low, _ in ranges):
            sure += np.outer(w, w)
        if not any(high <= -1e-12 for _, high in ranges):
            maybe += np.outer(w, w)
    Q = plain_q(c_r, c_s)
    slack = alpha * sum(delta + np.sin(delta) for delta in radii) / TWO_PI
    return max(top(maybe - alpha * Q), top(alpha * Q - sure)) + slack, sure, maybe, radii


def random_boxes(rng, k, count):
    boxes = Boxes.cover({"r": k, "s": k})
    for _ in range(int(rng.integers(0, 14))):
        boxes = boxes.split()
        boxes = boxes.take(rng.permutation(len(boxes))[:count])
    return boxes.take(slice(0, count))


# breaks with: a gate called sure that is not, half the slack, a radius too small
@given(SEEDS, KINDS, st.integers(1, 3), st.sampled_from([0.1, 1.0, 10.0]))
def test_fact_10_sandwich(seed, kind, k, factor):
    rng, W = matrix(seed, kind, k)
    alpha = factor * natural_alpha(W)
    boxes = random_boxes(rng, k, 4)
    points = boxes.sample(rng, 8)
    tolerance = 1e-10 * (np.sum(W * W) + alpha)
    for b in range(len(boxes)):
        box = [x[:, b] for pair in zip(boxes.center, boxes.half, strict=True) for x in pair]
        bound, sure, maybe, radii = plain_sandwich(W, alpha, *box)
        theta = plain_angle(box[0], box[2])
        low, high = np.clip([theta - sum(radii), theta + sum(radii)], 0, np.pi)
        for r, s in zip(points["r"][b], points["s"][b], strict=True):
            A, value = plain_a(W, r, s), plain_deviation(W, alpha, r, s)
            assert np.linalg.eigvalsh(A - sure)[0] >= -tolerance
            assert np.linalg.eigvalsh(maybe - A)[0] >= -tolerance
            assert value <= bound + tolerance
            if k > 1:  # the theta-interval tests
                difference = A - alpha * plain_q(r, s)
                floor = alpha * (np.pi - high - np.sin(high)) / TWO_PI
                ceiling = alpha * (np.pi - low + np.sin(low)) / TWO_PI
                assert top(difference) <= top(maybe) - floor + tolerance
                assert top(-difference) <= ceiling + top(-sure) + tolerance


# breaks with: opposite rows that are not merged
def test_fact_10_opposite_rows_stall_the_plain_sandwich_and_not_the_reduced_one():
    W = np.vstack([np.eye(2), -np.eye(2)])
    wall = np.array([1.0, 0.0]), np.array([0.0, 2.0**-30])  # a tiny box about a wall, and its opposite
    bound, *_ = plain_sandwich(W, 1.0, wall[0], wall[1], -wall[0], wall[1])
    assert bound == pytest.approx(2.0, abs=1e-6)
    found = wc.bracket(condition(W, 1.0), wc.Spectral(), wc.BranchAndBound(gap=0.01, rtol=0))
    assert found.upper <= 1.01 + 1e-9 and found.lower >= 1 - 1e-6
