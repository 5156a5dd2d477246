"""Closed formulas: each theorem's value is reached, and nothing exceeds a cap."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

import wdccheck as wc
from wdccheck.conditions.gated_pairs import theorem_pairs
from wdccheck.stops import Reason


def spectral(W, alpha=1.0):
    return wc.bracket(wc.WDC(W, alpha), wc.Spectral())


def test_fact_5_spectral_lower_bound():
    rng = np.random.default_rng(2)
    for k in (2, 5, 60):
        W = rng.standard_normal((3 * k, k)) / np.sqrt(3 * k)
        known = 0.5 * np.linalg.norm(W.T @ W - np.eye(k), 2)
        assert spectral(W).lower >= known * (1 - 1e-9)


@pytest.mark.filterwarnings("ignore:.*did you mean")
def test_fact_6_rank_lower_bound():
    rng = np.random.default_rng(3)
    for n, k in ((3, 2), (5, 6), (30, 20)):
        assert spectral(0.01 * rng.standard_normal((n, k))).lower >= 0.5 * (1 - 1e-9)


def test_fact_7_antipodal_lower_bound():
    rng = np.random.default_rng(4)
    for k in (2, 4, 30):
        W = rng.standard_normal((4 * k, k))
        longest = np.max(np.sum(W**2, axis=1))
        assert spectral(W, alpha=1e-6).lower >= longest * (1 - 1e-6)


def test_fact_7_repeated_rows():
    W = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    result = spectral(W)
    assert 2 * (1 - 1e-6) <= result.lower <= result.upper <= 2 * (1 + 1e-9)


@pytest.mark.parametrize("k", [2, 3, 6])
def test_identity_is_one_and_attained_by_no_pair(k):
    result = spectral(np.eye(k))
    assert 1 - 1e-6 <= result.lower < 1 <= result.upper <= 1 + 1e-9


def test_fact_8_zero_weights_are_exact():
    result = spectral(np.zeros((4, 3)), alpha=0.3)
    assert result.lower == pytest.approx(0.15, rel=1e-9)
    assert result.upper == pytest.approx(0.15, rel=1e-9)
    assert result.stopped["upper"].reason is Reason.EXACT


def test_fact_9_cap_is_named_and_valid():
    W = np.random.default_rng(0).standard_normal((50, 5))
    result = spectral(W)
    assert result.upper_by.startswith("Fact 9")
    assert result.stopped["upper"].reason is Reason.CAP_ONLY
    assert result.upper == pytest.approx(np.linalg.norm(W, 2) ** 2, rel=1e-9)
    assert result.upper >= np.linalg.norm(W, 2) ** 2


def test_many_rows_take_no_square_of_their_number():
    W = np.random.default_rng(0).standard_normal((20_000, 3))
    tracemalloc.start()
    try:
        assert next(iter(theorem_pairs(W))).point["r"].shape == (3,)
        assert tracemalloc.get_traced_memory()[1] < 2**26
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("W", [[[1.0]], [[1.0], [-1.0]], [[0.3], [-0.7], [0.0], [1.1]], [[0.0]]])
@pytest.mark.parametrize("alpha", [0.1, 1.0, 2.0])
def test_one_dimension_is_exact(W, alpha):
    W = np.array(W)
    result = wc.bracket(wc.WDC(W, alpha))
    known = max(abs(np.sum(W[s * W > 0] ** 2) - alpha / 2) for s in (1, -1))
    assert known * (1 - 1e-14) <= result.upper <= known * (1 + 1e-12)  # enlarged by 2^-40
    assert result.lower == pytest.approx(known, rel=1e-13)
    assert result.stopped["upper"].reason is Reason.EXACT
