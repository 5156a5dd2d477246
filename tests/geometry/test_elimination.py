"""Exact elimination: pivot columns."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from examples.matrices import MATRICES
from wdccheck.geometry import elimination
from wdccheck.geometry.elimination import pivot_columns, pivots_of, rational

SEEDS = st.integers(0, 2**32 - 1)
KINDS = st.sampled_from(sorted(MATRICES))


@given(SEEDS, KINDS, st.integers(1, 5))
def test_pivot_columns_carry_the_rank(seed, kind, k):
    W = MATRICES[kind](np.random.default_rng(seed), k)
    pivots = pivot_columns(W)
    assert pivots == sorted(set(pivots)) and all(0 <= j < k for j in pivots)
    if kind in ("gaussian", "integer", "rank-deficient", "negated", "duplicated"):
        assert len(pivots) == np.linalg.matrix_rank(W) == np.linalg.matrix_rank(W[:, pivots])


def test_pivot_columns_are_exact():
    assert pivot_columns(np.zeros((3, 2))) == []
    assert pivot_columns(np.array([[0.0, 1.0, 2.0], [0.0, 2.0, 4.0]])) == [1]
    assert pivot_columns(np.array([[1.0, 1.0], [1.0, 1.0 + 2.0**-52]])) == [0, 1]
    # in floats 1e-200 * 1e300 == 1e100, exactly not
    assert pivot_columns(np.array([[1e-200, 1.0], [1e100, 1e300]])) == [0, 1]
    assert pivot_columns(np.array([[2.0**-800, 1.0], [2.0**100, 2.0**900]])) == [0]


@given(SEEDS, KINDS, st.integers(1, 6))
def test_few_rows_tell_the_pivot_columns_of_many(seed, kind, k):
    rng = np.random.default_rng(seed)
    low = rng.integers(-2, 3, (30, 2)) @ rng.integers(-2, 3, (2, k))
    W = np.concatenate([low, MATRICES[kind](rng, k)[:rng.integers(4)]])
    assert pivot_columns(W) == pivots_of(rational(W))


def test_no_more_rows_are_eliminated_than_needed(monkeypatch):
    sizes = []
    monkeypatch.setattr(elimination, "rational", lambda rows: sizes.append(len(rows)) or rational(rows))
    W = np.random.default_rng(0).standard_normal((20_000, 6))
    W[:, 5] = W[:, 0] + W[:, 3]  # rounded: only nearly dependent
    W[:, 4], W[:30, 2] = W[:, 1], 0.0
    assert pivot_columns(W) == [0, 1, 2, 3, 5] and max(sizes) < 40
