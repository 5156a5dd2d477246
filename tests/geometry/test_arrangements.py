"""Cells of arrangements of hyperplanes, and rows grouped by line."""

from __future__ import annotations

from fractions import Fraction
from itertools import combinations
from math import comb

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from examples.definitions import exact_dot, fractions
from examples.matrices import MATRICES
from wdccheck.geometry import arrangements
from wdccheck.geometry.arrangements import group_by_line, topes
from wdccheck.geometry.elimination import normal, rational

SEEDS = st.integers(0, 2**32 - 1)
KINDS = st.sampled_from(sorted(MATRICES))


def schlaefli_cover(n, k):
    return 2 * sum(comb(n - 1, j) for j in range(k))


def as_set(signs):
    return {tuple(row) for row in signs.tolist()}


def sampled_signs(rows, rng, n=4000):
    """Sign vectors of random points, those too near a wall left out."""
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    products = rng.standard_normal((n, rows.shape[1])) @ unit.T
    products = products[(np.abs(products) > 1e-9).all(axis=1)]
    return {tuple(row) for row in np.sign(products).astype(int).tolist()}


# -- topes ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "n, k", [(1, 1), (1, 3), (4, 2), (9, 2), (3, 3), (7, 3), (5, 4), (7, 4), (4, 6), (6, 5)]
)
def test_generic_topes_are_counted_by_schlaefli_and_cover(n, k):
    rows = np.random.default_rng(n + 10 * k).standard_normal((n, k))
    found = topes(rows)
    assert len(as_set(found)) == len(found) == schlaefli_cover(n, k)
    assert found.shape == (schlaefli_cover(n, k), n) and set(np.unique(found)) == {-1, 1}
    assert as_set(found) == as_set(-found)


@given(SEEDS, KINDS, st.integers(1, 3))
@settings(max_examples=40)
def test_every_sampled_sign_vector_is_listed_and_every_listed_one_is_realized(seed, kind, k):
    rng = np.random.default_rng(seed)
    W = MATRICES[kind](rng, k)
    rows = W[W.any(axis=1)][:7]
    if not len(rows):
        return
    found = as_set(topes(rows))
    assert sampled_signs(rows, rng, 500) <= found
    if kind == "near-parallel":
        return  # cells of width 1e-12 are beyond the float check below
    for signs in list(found)[:3]:
        assert strictly_feasible(rows, np.array(signs))


def strictly_feasible(rows, signs):
    """Whether some x has sign(rows x) = signs: no nonnegative combination of signs * rows is 0 (Gordan)."""
    from scipy.optimize import nnls

    flipped = signs[:, None] * rows / np.linalg.norm(rows, axis=1, keepdims=True)
    system = np.vstack([flipped.T, np.ones(len(rows))])
    _, residual = nnls(system, np.append(np.zeros(rows.shape[1]), 1.0))
    return residual > 1e-14


@pytest.mark.parametrize("k", [1, 2, 3, 4])
def test_topes_of_the_coordinate_hyperplanes_are_all_signs(k):
    assert len(topes(np.eye(k))) == 2**k
    doubled = topes(np.vstack([np.eye(k), -2 * np.eye(k)]))
    assert len(doubled) == 2**k and (doubled[:, :k] == -doubled[:, k:]).all()


def test_topes_of_a_braid_arrangement():
    # x_i = x_j in R^4: its cells are the 4! orders, although 6 hyperplanes in rank 3 could have 32
    rows = np.array([np.eye(4)[i] - np.eye(4)[j] for i in range(4) for j in range(i)])
    assert len(topes(rows)) == 24


def test_topes_of_a_pencil():
    rows = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [1.0, 1.0, 0.0], [1.0, -1.0, 0.0]])
    assert len(topes(rows)) == 8
    assert as_set(topes(rows)) == as_set(topes(rows[:, :2]))


def test_topes_at_any_scale():
    rows = np.array([[1.0, 2.0], [3.0, -1.0], [1.0, 1.0]])
    expected = as_set(topes(rows))
    assert as_set(topes(rows * np.array([[1e-300], [1e300], [1.0]]))) == expected


def test_topes_tell_a_nearly_dependent_triple_from_a_dependent_one():
    rows = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [1.0, 1.0, 0.0]])
    assert len(topes(rows)) == 6
    rows[2, 2] = 5e-324
    assert len(topes(rows)) == 8


def test_topes_give_up_at_the_limit():
    rows = np.random.default_rng(0).standard_normal((12, 4))
    assert topes(rows, limit=100) is None
    assert topes(rows[:6], limit=60) is not None
    assert topes(rows[:6], limit=10) is None


def test_cells_of_a_hundred_planes():
    assert len(topes(np.random.default_rng(0).standard_normal((100, 3)))) == 9902  # Fact 15


@given(SEEDS, KINDS, st.integers(2, 4))
@settings(max_examples=30)
def test_floats_and_rationals_list_the_same_cells(seed, kind, k):
    W = MATRICES[kind](np.random.default_rng(seed), k)
    rows = W[W.any(axis=1)][:7]
    exact = arrangements._topes(rational(rows), 10**6, iter(range(10**6)))
    assert topes(rows, limit=10**6).tolist() == [list(signs) for signs in sorted(exact)]


@given(SEEDS, st.integers(2, 5))
@settings(max_examples=20)
def test_signs_at_a_normal_are_proved_or_left_to_rationals(seed, k):
    rng = np.random.default_rng(seed)
    rows = rng.integers(-2, 3, (8, k)) / 4 + rng.choice([0.0, 1e-17, 1e-300], (8, 1)) * rng.random((8, k))
    subsets = np.array(list(combinations(range(8), k - 1)))
    positive, sure = arrangements._at_normals(rows, subsets)
    vectors = rational(rows)
    for subset, signs, certain in zip(subsets.tolist(), positive, sure, strict=True):
        y = normal([vectors[i] for i in subset], k)
        if certain:
            exact = np.array([arrangements._sign(exact_dot_of(v, y)) for v in vectors])
            others = np.setdiff1d(np.arange(8), subset)
            along = exact[others] * np.where(signs, 1, -1)[others]  # y or -y: either is a normal
            assert (along == 1).all() or (along == -1).all()


def exact_dot_of(v, y):
    return sum(a * b for a, b in zip(v, y, strict=True))


# -- pivots ---------------------------------------------------------------------------------------


# -- lines ----------------------------------------------------------------------------------------


@given(SEEDS, KINDS, st.integers(1, 4))
def test_grouping_keeps_every_gated_sum(seed, kind, k):
    rng = np.random.default_rng(seed)
    W = MATRICES[kind](rng, k)
    W = np.vstack([W, 2.0 * W[:2], -0.5 * W[:2], np.zeros((1, k))])
    lines = group_by_line(W)
    r, s = rng.standard_normal((2, k))
    at_r, at_s = lines.rows @ r, lines.rows @ s
    weights = lines.positive * ((at_r > 0) & (at_s > 0)) + lines.negative * ((at_r < 0) & (at_s < 0))
    on = W[(W @ r > 0) & (W @ s > 0)]
    total = float(np.sum(W * W))
    np.testing.assert_allclose((lines.rows.T * weights) @ lines.rows, on.T @ on, atol=1e-13 * total)


@given(SEEDS, st.integers(1, 4))
def test_lines_are_distinct(seed, k):
    rng = np.random.default_rng(seed)
    W = _integers(rng, k)
    lines = group_by_line(W)
    exact = fractions(lines.rows)
    for i in range(len(exact)):
        for j in range(i):
            v, w = exact[i], exact[j]
            cross = [v[a] * w[b] - v[b] * w[a] for a in range(k) for b in range(a)]
            assert any(cross) and k > 1
    primitive = {_direction(w) for w in W.astype(int).tolist() if any(w)}
    assert len(exact) == len(primitive)


def _integers(rng, k):
    return rng.integers(-3, 4, (12, k)).astype(float)


def _direction(w):
    divisor = int(np.gcd.reduce(w)) * (1 if next(x for x in w if x) > 0 else -1)
    return tuple(x // divisor for x in w)


def test_exact_multiples_merge_and_near_multiples_do_not():
    v = np.array([0.1, 0.2, 0.3])
    near = v.copy()
    near[1] = np.nextafter(near[1], 1.0)
    assert len(group_by_line(np.array([v, 4 * v, -v])).rows) == 1
    assert len(group_by_line(np.array([v, near])).rows) == 2
    assert len(group_by_line(np.array([v, 3 * v])).rows) == (1 if _parallel(v, 3 * v) else 2)
    thirds = np.array([[1.0, 3.0], [1 / 3, 1.0]])  # equal quotients in floats, not exact multiples
    assert thirds[0, 0] / thirds[0, 1] == thirds[1, 0] / thirds[1, 1]
    assert len(group_by_line(thirds).rows) == 2


def _parallel(v, w):
    v, w = fractions(v), fractions(w)
    return all(v[a] * w[b] == v[b] * w[a] for a in range(len(v)) for b in range(len(v)))


def test_weights_of_a_line():
    lines = group_by_line(np.array([[1.0, 2.0], [0.0, 0.0], [2.0, 4.0], [-3.0, -6.0], [0.0, 1.0]]))
    assert lines.rows.tolist() == [[-3.0, -6.0], [0.0, 1.0]]  # the largest of each line
    np.testing.assert_allclose(lines.positive, [1.0, 1.0])
    np.testing.assert_allclose(lines.negative, [5 / 9, 0.0])


def test_ratios_within_a_line_never_overflow():
    lines = group_by_line(np.array([[2.0**-600], [2.0**400], [-(2.0**401)]]))
    assert lines.rows.tolist() == [[-(2.0**401)]]
    assert lines.positive.tolist() == [1.0] and lines.negative.tolist() == [0.25]


def test_negative_zeros_do_not_part_a_line():
    assert len(group_by_line(np.array([[1.0, 0.0], [2.0, -0.0], [-1.0, 0.0]])).rows) == 1


def test_no_rows_and_zero_rows():
    lines = group_by_line(np.zeros((4, 3)))
    assert lines.rows.shape == (0, 3) and lines.positive.shape == lines.negative.shape == (0,)


def test_lines_of_tiny_and_huge_rows():
    W = np.array([[1e-100, 2e-100], [1e100, -1e100], [2e-100, 4e-100], [-2e100, 2e100]])
    lines = group_by_line(W)
    assert len(lines.rows) == 2
    np.testing.assert_allclose(lines.positive, [1.25, 1.0])
    np.testing.assert_allclose(lines.negative, [0.0, 0.25])


@given(SEEDS)
def test_weights_within_their_stated_error(seed):
    rng = np.random.default_rng(seed)
    multiples = rng.integers(-1000, 1000, 30)
    v = rng.integers(1, 2**20, 3).astype(float)
    lines = group_by_line(multiples[:, None] * v)
    assert len(lines.rows) == 1
    first = int(lines.rows[0, 0] / v[0])
    for found, sign in ((lines.positive, 1), (lines.negative, -1)):
        ratios = [Fraction(int(m), first) for m in multiples]
        exact = sum((x * x for x in ratios if sign * x > 0), Fraction(0))
        assert abs(Fraction(float(found[0])) - exact) <= exact * 34 * Fraction(1, 2**53)


def test_exact_dot_of_the_oracle():
    assert exact_dot(fractions([0.5, 2.0]), fractions([4.0, -1.0])) == 0
