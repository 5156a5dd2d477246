"""Gated sums along great circles: the best point, against direct evaluation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from examples.matrices import MATRICES
from wdccheck.geometry import circle_steps
from wdccheck.geometry.expectation import unit

SEEDS = st.integers(0, 2**32 - 1)
KINDS = st.sampled_from(sorted(set(MATRICES) - {"tiny", "huge", "mixed scales"}))


def wave(rng, batch):
    """A smooth part with at most two maxima, and the same as scan wants it."""
    a, b, c, d = rng.standard_normal((4, batch, 1))

    def at(t):
        return a * np.cos(t) + b * np.sin(t) + c * np.cos(2 * t) + d * np.sin(2 * t)

    def smooth(cos, sin):
        t = np.arctan2(sin, cos)
        return at(t), at(t + np.pi)

    return at, smooth


def direct(along, across, coefficients, at, t):
    """The profile's function, plainly; t of shape (B, p)."""
    products = along[:, :, None] * np.cos(t)[:, None, :] + across[:, :, None] * np.sin(t)[:, None, :]
    return np.sum(coefficients[:, :, None] * (products > 0), axis=1) + at(t)


def circle(rng, kind, batch=3, k=3):
    W = MATRICES[kind](rng, k)
    r = unit(rng.standard_normal((batch, k)))
    if kind == "integer":
        r = rng.integers(-2, 3, (batch, k)) + np.eye(k)[0] * 5.0  # rows exactly on walls
    t = rng.standard_normal((batch, k))
    return r @ W.T, t @ W.T


def check_profile(along, across, coefficients, rng):
    batch = len(along)
    at, smooth = wave(rng, batch)
    profile = circle_steps.scan(along, across, coefficients, smooth, np.zeros((batch, 1)))
    angle, value = profile.best()
    scale = np.abs(coefficients).sum() + 1
    # the value is attained at the angle ...
    found = direct(along, across, coefficients, at, angle[:, None])[:, 0]
    np.testing.assert_allclose(found, value, atol=1e-6 * scale)
    # ... and nothing on a fine grid, or beside a wall of a row that counts, exceeds it (the inner maxima are
    # parabolic)
    grid = np.tile(np.linspace(0, 2 * np.pi, 1000) + 1e-3 / np.pi, (batch, 1))  # off the walls
    walls = np.arctan2(-along, across)  # along cos t + across sin t = 0 there
    beside = np.concatenate([walls + shift for shift in (-1e-7, 1e-7, np.pi - 1e-7, np.pi + 1e-7)], axis=1)
    tried = direct(along, across, coefficients, at, np.concatenate([grid, beside], axis=1))
    assert (tried.max(axis=1) <= value + 2e-2 * (np.abs(at(grid)).max() + 1e-5)).all()
    found = np.where(np.tile(coefficients == 0, 4), -np.inf, direct(along, across, coefficients, at, beside))
    assert (found.max(axis=1) <= value + 1e-5 * scale).all()
    return profile


@given(SEEDS, KINDS)
def test_scan_finds_the_best_point_of_the_circle(seed, kind):
    rng = np.random.default_rng(seed)
    along, across = circle(rng, kind)
    coefficients = rng.standard_normal(along.shape)
    coefficients[rng.random(along.shape) < 0.2] = 0.0
    check_profile(along, across, coefficients, rng)


@given(SEEDS, KINDS)
def test_scan_with_nonnegative_summands_and_few_rows(seed, kind):
    rng = np.random.default_rng(seed)
    along, across = circle(rng, kind)
    coefficients = rng.random(along.shape) * (rng.random(along.shape) < 0.4)
    coefficients[0] = 0.0  # no row matters on the first circle
    check_profile(along, across, coefficients, rng)


@given(SEEDS)
def test_scan_one_sided_values(seed):
    rng = np.random.default_rng(seed)
    along, across = rng.standard_normal((2, 2, 6))
    coefficients = rng.standard_normal((2, 6))
    profile = check_profile(along, across, coefficients, rng)
    assert profile.breaks.shape == (2, 12)
    assert (np.diff(profile.breaks, axis=1) >= 0).all()
    assert ((profile.breaks >= 0) & (profile.breaks < 2 * np.pi)).all()
    rng = np.random.default_rng(seed)
    rng.standard_normal((2, 2, 6)), rng.standard_normal((2, 6))
    at, _ = wave(rng, 2)
    gap = np.diff(profile.breaks, axis=1, append=profile.breaks[:, :1] + 2 * np.pi)
    clear = (gap > 1e-5) & (np.roll(gap, 1, axis=1) > 1e-5)
    for side, values in ((1e-8, profile.after), (-1e-8, profile.before)):
        expected = direct(along, across, coefficients, at, profile.breaks + side)
        np.testing.assert_allclose(values[clear], expected[clear], atol=1e-6)


@pytest.mark.parametrize("rows", [
    [[1.0, 0.0], [1.0, 0.0], [2.0, 0.0]],  # duplicates: ties
    [[1.0, 0.0], [-1.0, 0.0]],  # opposite rows
    [[0.0, 0.0], [0.0, 0.0]],  # along = across = 0: never open
    [[0.0, 1.0], [0.0, -1.0], [1.0, 0.0], [-1.0, 0.0]],  # walls at the base point
    [[1.0, 1e-300], [-1.0, -1e-300], [1e-300, 1.0]],
    [[0.0, 1.0], [0.0, 0.0], [1.0, 1.0]],
])
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_scan_of_ties_and_idle_rows(rows, sign):
    along, across = np.array(rows).T[:, None, :]
    coefficients = sign * np.array([[1.0, 2.0, 4.0, 8.0][: len(rows)]])
    check_profile(along, across, coefficients, np.random.default_rng(0))


def test_scan_sees_a_corner_of_the_smooth_part():
    def smooth(cos, sin):
        t = np.arctan2(sin, cos)
        return -np.abs(t - 0.3), -np.abs(t + np.pi - 0.3)

    zero = np.zeros((1, 1))
    profile = circle_steps.scan(zero, zero, zero, smooth, np.array([[0.3]]))
    angle, value = profile.best()
    assert angle[0] == pytest.approx(0.3) and value[0] == pytest.approx(0.0)
