"""Every constant of rounding.py against exact rational arithmetic or many digits."""

from __future__ import annotations

import math
from fractions import Fraction

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from examples.definitions import exact_dot, exact_q, exactly_semidefinite, fractions
from examples.matrices import MATRICES
from wdccheck import _kernels
from wdccheck.geometry import expectation
from wdccheck.geometry.arrangements import group_by_line
from wdccheck.linalg import rounding

SEEDS = st.integers(0, 2**32 - 1)
KINDS = st.sampled_from(sorted(MATRICES))


@given(st.integers(1, 2**40))
def test_gamma_is_rounded_up(n):
    nu = Fraction(n, 2**53)
    assert Fraction(rounding.gamma(n)) >= nu / (1 - nu)
    assert Fraction(rounding.gamma(n)) <= nu / (1 - nu) * (1 + Fraction(1, 2**48))


@given(st.floats(allow_nan=False, allow_infinity=False), st.integers(0, 9))
def test_round_up_and_down(value, steps):
    up, down = rounding.round_up(value, steps), rounding.round_down(value, steps)
    assert up >= value and 0 <= down <= max(value, 0)
    if steps and math.isfinite(up):
        assert up > value and (down < value or down == 0)
    assert rounding.round_up(1.0, 3) == 1 + 6 * rounding.UNIT
    assert rounding.round_down(1.0, 2) == 1 - 2 * rounding.UNIT
    assert rounding.round_down(5e-324, 2) == 0.0


# -- gates ----------------------------------------------------------------------------------------


def dyadic_boxes(rng, k, count):
    """Centers and half-widths as bisection makes them: |c_j|, h_j <= 1."""
    depth = rng.integers(0, 40, (k, count))
    h = 2.0 ** -depth
    c = np.round(rng.uniform(-1, 1, (k, count)) / h) * h
    return np.clip(c, -1, 1), h * (rng.random((k, count)) < 0.8)


@given(SEEDS, KINDS, st.integers(1, 5))
def test_gate_error_covers_both_ends_of_a_box(seed, kind, k):
    rng = np.random.default_rng(seed)
    W = MATRICES[kind](rng, k)
    W = W * (10.0 ** rng.uniform(-220, 0) if kind == "tiny" else 1.0)
    c, h = dyadic_boxes(rng, k, 5)
    middle, reach, errors = W @ c, np.abs(W) @ h, rounding.gate_error(W)
    for i, w in enumerate(fractions(W)):
        for b in range(5):
            m = exact_dot(w, fractions(c[:, b]))
            d = exact_dot([abs(x) for x in w], fractions(h[:, b]))
            assert abs(Fraction(middle[i, b] - reach[i, b]) - (m - d)) < Fraction(errors[i]) or not any(w)
            assert abs(Fraction(middle[i, b] + reach[i, b]) - (m + d)) < Fraction(errors[i]) or not any(w)
            # as gates.line_signs compares them: middle against fl(reach + error)
            if middle[i, b] > reach[i, b] + errors[i]:
                assert m > d
            if middle[i, b] < -(reach[i, b] + errors[i]):
                assert m < -d


def exact_sign(w, r):
    return exact_dot(fractions(w), fractions(r)) > 0


@pytest.mark.parametrize("w, r", [
    ([1.0, 1.0], [1.0, -1.0]),  # a tie: closed
    ([0.1, 0.2, -0.3], [1.0, 1.0, 1.0]),  # open by 2**-55, floats say 5.6e-17
    ([0.1, 0.3], [0.3, -0.1]),  # fl(0.03) twice: a tie in floats and exactly
    ([1.0, 1 + 2.0**-52], [1 + 2.0**-52, -1.0]),  # a tie
    ([1 + 2.0**-52, 1.0], [1 + 2.0**-52, -1 - 2.0**-51]),  # open by 2**-104, lost in floats
    ([1.0, 1 + 2.0**-51], [1 + 2.0**-51, -1 - 2.0**-50]),  # a little less
    ([5e-324, -5e-324], [1.0, 0.5]),  # products that underflow
    ([5e-324, 0.0], [0.25, 1.0]),  # fl = 0, exactly positive
    ([1e150, -1e150], [1e150, 1e150]),
    ([1e150, 1.0, -1e150], [1e150, 1e-150, 1e150]),  # a small term survives cancellation
    ([0.0, 0.0], [1.0, 1.0]),
    ([1e-160, 1e150], [1e-160, 0.0]),  # 1e-320, a subnormal
    ([1e-170, 1e150], [1e-170, 0.0]),  # below every subnormal, positive all the same
    ([-1e-170, 1e150], [1e-170, 0.0]),
])
def test_open_gates_decide_exactly(w, r):
    w, r = np.array(w), np.array(r)
    for sign in (1.0, -1.0):
        found = rounding.open_gates(w[None, :], sign * r)
        assert found.shape == (1,) and found[0] == exact_sign(w, sign * r)


@given(SEEDS, st.integers(2, 5))
def test_open_gates_near_walls(seed, k):
    # points that a float product cannot place: projected onto walls, then rounded
    rng = np.random.default_rng(seed)
    W = rng.standard_normal((6, k)) * 10.0 ** rng.uniform(-150, 149, (6, 1))
    unit = expectation.unit(W)
    x = rng.standard_normal((6, k))
    r = x - np.sum(unit * x, axis=1, keepdims=True) * unit
    r = np.vstack([r, np.nextafter(r, 9.0), r * 1e-150])
    found = rounding.open_gates(W, r.reshape(3, 6, k))
    assert found.shape == (3, 6, 6)
    expected = np.array([[exact_sign(w, point) for w in W] for point in r])
    np.testing.assert_array_equal(found.reshape(18, 6), expected)


@pytest.mark.parametrize("scale", [1.0, 1e-170, 1e-200, 1e-300, 1e200, 1e307])
@pytest.mark.parametrize("of_row", [1.0, 1e-200, 1e150])
def test_open_gates_repair_what_floats_get_wrong(scale, of_row):
    # lengths whose squares underflow or overflow must not turn the error bound into 0 or nan
    rng = np.random.default_rng(0)
    W = rng.standard_normal((100, 4))
    r = rng.standard_normal((100, 4))
    r -= np.sum(W * r, axis=1, keepdims=True) / np.sum(W * W, axis=1, keepdims=True) * W
    W, r = W * of_row, r * scale
    exact = np.array([exact_sign(w, x) for w, x in zip(W, r, strict=True)])
    np.testing.assert_array_equal(np.diagonal(rounding.open_gates(W, r)), exact)
    with np.errstate(over="ignore", invalid="ignore"):
        naive = np.diagonal(r @ W.T > 0)
    assert (naive != exact).any()  # else this test would prove nothing


# -- Gram matrices ------------------------------------------------------------------------------


def exact_gram(rows, weights):
    k = len(rows[0])
    return [[sum((p * w[i] * w[j] for p, w in zip(weights, rows, strict=True)), Fraction(0))
             for j in range(k)] for i in range(k)]


def excess(computed, exact):
    """The exact error matrix as floats; its own rounding is relative."""
    k = len(exact)
    return np.array([[float(Fraction(float(computed[i, j])) - exact[i][j]) for j in range(k)]
                     for i in range(k)])


@given(SEEDS, KINDS, st.integers(1, 4))
def test_gram_error_of_the_gated_sum(seed, kind, k):
    rng = np.random.default_rng(seed)
    W = MATRICES[kind](rng, k)
    weights = rng.integers(0, 2, (2, len(W))).astype(bool)
    outer = _kernels.outer_products(W)
    for computed in (_kernels.gram(W, None, weights), _kernels.gram(W, outer, weights)):
        for b in range(2):
            exact = exact_gram(fractions(W), [Fraction(int(x)) for x in weights[b]])
            mass = float(np.sum(weights[b] * np.sum(W * W, axis=1)))
            error = np.linalg.norm(excess(computed[b], exact) / (mass or 1.0), 2)
            assert error <= rounding.gram_error(*W.shape)


@given(SEEDS, KINDS, st.integers(1, 4))
def test_gram_error_covers_rows_merged_by_line(seed, kind, k):
    rng = np.random.default_rng(seed)
    W = MATRICES[kind](rng, k)
    W = np.vstack([W, 3.0 * W[:2], -0.7 * W[:1], W[:1] * 2.0**-20])
    lines = group_by_line(W)
    r = rng.standard_normal(k)
    signs = lines.rows @ r
    computed = _kernels.gram(lines.rows, _kernels.outer_products(lines.rows),
                             np.where(signs > 0, lines.positive, lines.negative)[None])[0]
    on = [Fraction(int(exact_sign(w, r))) for w in W]
    mass = float(np.sum(W * W)) or 1.0
    error = np.linalg.norm(excess(computed, exact_gram(fractions(W), on)) / mass, 2)
    assert error <= rounding.gram_error(*W.shape)


# -- the expectation ------------------------------------------------------------------------------


GAPS = st.sampled_from([0.0, 5e-324, 1e-300, 1e-16, 1e-15, 1e-12, 1e-8, 1e-4, 1e-2, 0.3, 1.0])


@given(SEEDS, st.integers(1, 6), GAPS, st.sampled_from([1.0, -1.0, 0.0]))
@settings(max_examples=60)
def test_expectation_error(seed, k, gap, sign):
    rng = np.random.default_rng(seed)
    r = rng.standard_normal(k) * 10.0 ** rng.uniform(-3, 3)
    s = sign * r + gap * rng.standard_normal(k) if sign else rng.standard_normal(k)
    s = s if s.any() else r
    with mpmath.workdps(60):
        q = exact_q(r, s)
        full = expectation.expected_gram(r, s)
        packed = expectation.expected_triangle(r[:, None], s[:, None])[0]
        i, j = np.tril_indices(k)
        second = np.empty((k, k))
        second[i, j] = second[j, i] = packed[:, 0]
        for computed in (full, second):
            error = np.array([[float(mpmath.mpf(float(computed[a, b])) - q[a, b]) for b in range(k)]
                              for a in range(k)])
            assert np.linalg.norm(error, 2) <= rounding.expectation_error(k)


@given(SEEDS, st.integers(2, 4), GAPS)
def test_expectation_error_at_centers_of_boxes(seed, k, gap):
    rng = np.random.default_rng(seed)
    r = np.round(rng.uniform(-1, 1, k) * 2**20) / 2**20
    r[0] = 1.0
    s = r * rng.choice([1.0, -1.0])
    s[1] += np.ldexp(1.0, -30) if gap < 1e-4 else gap
    q, theta = expectation.expected_triangle(r[:, None], s[:, None])
    with mpmath.workdps(60):
        exact = exact_q(r, s)
        i, j = np.tril_indices(k)
        error = np.zeros((k, k))
        for p, (a, b) in enumerate(zip(i, j, strict=True)):
            error[a, b] = error[b, a] = float(mpmath.mpf(float(q[p, 0])) - exact[int(a), int(b)])
        x, y = ([mpmath.mpf(float(t)) for t in v] for v in (r, s))
        cosine = mpmath.fsum(a * b for a, b in zip(x, y, strict=True)) / mpmath.sqrt(
            mpmath.fsum(a * a for a in x) * mpmath.fsum(b * b for b in y))
        assert abs(mpmath.acos(cosine) - mpmath.mpf(float(theta[0]))) <= rounding.expectation_error(k)
    assert np.linalg.norm(error, 2) <= rounding.expectation_error(k)


# -- Cholesky -------------------------------------------------------------------------------------


def nearly_singular(rng, k, shift):
    """A symmetric matrix whose smallest eigenvalue is about shift times its trace."""
    basis = np.linalg.qr(rng.standard_normal((k, k)))[0]
    values = 10.0 ** rng.uniform(-6, 0, k)
    values[0] = 0.0
    S = basis * values @ basis.T
    S = (S + S.T) / 2
    return S + shift * np.trace(S) * np.eye(k)


@given(SEEDS, st.integers(1, 6), st.floats(-40, 40))
@settings(max_examples=100)
def test_an_accepted_matrix_is_semidefinite_up_to_the_loss(seed, k, ulps):
    rng = np.random.default_rng(seed)
    S = nearly_singular(rng, k, ulps * rounding.UNIT) * 10.0 ** rng.uniform(-5, 5)
    i, j = np.tril_indices(k)
    loss = Fraction(float(rounding.cholesky_loss(k, np.asarray(np.trace(S)))))
    exact = fractions(S)
    shifted = [[exact[a][b] + (loss if a == b else 0) for b in range(k)] for a in range(k)]
    if _kernels.cholesky_succeeds(S[i, j][:, None].copy(), k)[0]:
        assert exactly_semidefinite(shifted)


def test_a_matrix_just_beyond_the_loss_is_never_accepted():
    rng = np.random.default_rng(5)
    accepted = rejected = 0
    for _ in range(400):
        k = int(rng.integers(2, 6))
        S = nearly_singular(rng, k, 0.0)
        loss = float(rounding.cholesky_loss(k, np.asarray(np.trace(S))))
        S -= rng.choice([-1.5, 1.5]) * loss * np.eye(k)
        packed = S[np.tril_indices(k)][:, None].copy()
        good = bool(_kernels.cholesky_succeeds(packed, k)[0])
        lifted = S + 1.01 * float(rounding.cholesky_loss(k, np.asarray(np.trace(S)))) * np.eye(k)
        if not exactly_semidefinite(fractions(lifted)):
            rejected += 1
            assert not good
        accepted += good
    assert accepted > 50 and rejected > 50  # both kinds occurred


@pytest.mark.parametrize("matrix", [
    [[0.0]], [[-1.0]], [[np.nan]], [[1.0, 1.0], [1.0, 1.0]], [[1.0, 2.0], [2.0, 1.0]],
    [[1.0, np.nan], [np.nan, 1.0]], [[1.0, 0.0], [0.0, np.nan]], [[np.inf, 1.0], [1.0, -1.0]],
])
def test_a_factorization_that_cannot_end_fails(matrix):
    S = np.array(matrix)
    k = len(S)
    assert not _kernels.cholesky_succeeds(S[np.tril_indices(k)][:, None].copy(), k)[0]
