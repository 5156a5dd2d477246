"""The best point of a great circle: the compiled kernel against the profile that defines it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from examples.matrices import MATRICES
from wdccheck import _kernels
from wdccheck.geometry import circle_steps, circle_waves, spheres
from wdccheck.geometry.circle_steps import OnCircle, expected_on_circle
from wdccheck.geometry.expectation import angle as geometry_angle
from wdccheck.geometry.expectation import expected_inner, unit

pytestmark = pytest.mark.skipif(_kernels.best_on_circles is None, reason="no compiled kernels to compare")
SEEDS = st.integers(0, 2**32 - 1)
KINDS = st.sampled_from(sorted(MATRICES))
BATCH = 4


def some_circles(seed, kind, k, walls):
    """Products, coefficients and the smooth part, as a condition has them; `walls`: points on hyperplanes."""
    rng = np.random.default_rng(seed)
    W = MATRICES[kind](rng, k)
    W = W / np.abs(W).max(initial=1e-300)
    r, s, u = (unit(rng.standard_normal((BATCH, k))) for _ in range(3))
    if walls:
        r, s = (unit(rng.integers(-1, 2, (BATCH, k)) + 0.0) for _ in range(2))
        r[~r.any(axis=1)] = np.eye(k)[0]
        s[~s.any(axis=1)] = np.eye(k)[-1]
    toward = np.where(rng.random((BATCH, 1)) < 0.3, s, rng.standard_normal((BATCH, k)))
    tangent = spheres.unit_tangent(r, toward)
    sign = rng.choice([-1.0, 1.0], BATCH)
    coefficients = sign[:, None] * (s @ W.T > 0) * (u @ W.T) ** 2
    alpha = 10.0 ** rng.integers(-3, 1)
    return r @ W.T, tangent @ W.T, coefficients, expected_on_circle(r, tangent, s, u, -sign * alpha)


def plain(along, across, coefficients, expected):
    kinks = np.concatenate([expected.kinks, np.tile([0.0, np.pi], (len(along), 1))], axis=1)
    return circle_steps.scan(along, across, coefficients, expected.values, kinks).best()


def at(along, across, coefficients, expected, angle):
    """The value at one angle of each circle."""
    cos, sin = np.cos(angle)[:, None], np.sin(angle)[:, None]
    still = (reach := np.abs(along) + np.abs(across)) <= 1e-7 * reach.max(axis=1, keepdims=True)
    opened = np.where(still, along > 0, along * cos + across * sin > 0)
    return np.sum(coefficients * opened, axis=1) + expected.values(cos, sin)[0][:, 0]


def agree(along, across, coefficients, expected):
    angle, value = _kernels.best_on_circles(along, across, coefficients, expected.numbers)
    scale = np.abs(coefficients).sum(axis=1) + np.abs(expected.numbers[:, 5])
    poles = np.hypot(*expected.numbers[:, :2].T) > 1 - 1e-7  # there the smooth part has half of its digits
    room = scale * np.where(poles, 1e-7, 1e-12)
    assert (np.abs(value - plain(along, across, coefficients, expected)[1]) <= room).all()
    reached = at(along, across, coefficients, expected, angle)
    assert (np.abs(reached - value) <= 1e-7 * scale).all()  # 1e-9 off a wall, slopes are at most alpha/pi
    return angle, value


@settings(max_examples=300, deadline=None)
@given(SEEDS, KINDS, st.integers(2, 6), st.booleans())
def test_both_find_the_same_value(seed, kind, k, walls):
    agree(*some_circles(seed, kind, k, walls))


@settings(max_examples=60, deadline=None)
@given(SEEDS, st.sampled_from([1e-300, 1e-150, 1e-5, 1e100, 1e150]), st.booleans())
def test_scales_do_not_matter(seed, scale, walls):
    along, across, coefficients, expected = some_circles(seed, "gaussian", 3, walls)
    _, value = agree(along, across, coefficients, expected)
    _, same = agree(scale * along, scale * across, coefficients, expected)
    room = 1e-7 * (np.abs(coefficients).sum() + 1)
    np.testing.assert_allclose(same, value, rtol=0, atol=room)
    numbers = expected.numbers * [1, 1, 1, 1, 1, scale]
    _, large = agree(along, across, scale * coefficients, OnCircle(numbers))
    np.testing.assert_allclose(large / scale, value, rtol=0, atol=room)


@settings(max_examples=100, deadline=None)
@given(SEEDS, st.integers(1, 200), st.sampled_from([0.0, 1e-17, 1e-15, 1e-10, 1e-7, 1e-3]), st.booleans())
@example(0, 1, 0.0, True)
def test_crowds_of_nearly_equal_angles(seed, n, width, signed):
    """Ties and near ties: whole crowds in one bucket of the sort, arcs too thin for floats between them."""
    rng = np.random.default_rng(seed)
    t = rng.choice(rng.uniform(0, 2 * np.pi, (BATCH, 3)), n, axis=1) + width * rng.standard_normal((BATCH, n))
    length = 10.0 ** rng.uniform(-3, 0, (BATCH, n))
    coefficients = rng.integers(-2, 3, (BATCH, n)) * length if signed else rng.random((BATCH, n))
    numbers = rng.uniform(-0.5, 0.5, (BATCH, 6))
    along, across = length * np.cos(t), length * np.sin(t)
    if width != 1e-10:  # there some arcs are just as long as what is thin
        agree(along, across, coefficients, OnCircle(numbers))
    _, value = _kernels.best_on_circles(along, across, coefficients, numbers)
    assert np.isfinite(value).all()


@pytest.mark.parametrize("rows", [
    [[0.0, 0.0]],
    [[1.0, 0.0], [2.0, 0.0], [-1.0, 0.0]],
    [[0.0, 1.0], [0.0, -1.0]],
    [[1.0, 1e-300], [-1.0, -1e-300], [1e-300, 1.0]],
    [[1.0, 1e-9], [0.0, 5e-324]],
])
@pytest.mark.parametrize("weight", [0.0, 1.0, -1.0])
def test_few_rows(rows, weight):
    along, across = np.array(rows).T[:, None, :]
    for coefficients in (np.ones_like(along), -np.ones_like(along), np.zeros_like(along)):
        agree(along, across, coefficients, OnCircle(np.array([[0.3, -0.4, 0.5, 0.2, 0.1, weight]])))


@settings(max_examples=200, deadline=None)
@given(SEEDS, KINDS, st.integers(2, 6), st.sampled_from([1.0, -1.0]), st.sampled_from([0.0, 1e-3, 1.0, 30.0]))
def test_waves(seed, kind, k, sign, weight):
    rng = np.random.default_rng(seed)
    C = MATRICES[kind](rng, k)
    C = C / np.abs(C).max(initial=1e-300)
    m, y = (unit(rng.standard_normal((BATCH, k))) for _ in range(2))
    toward = np.where(rng.random((BATCH, 1)) < 0.3, y, rng.standard_normal((BATCH, k)))
    tangent = spheres.unit_tangent(m, toward)
    along, across = m @ C.T, tangent @ C.T
    coefficients = sign * rng.random(along.shape) * (rng.random(along.shape) < 0.7)
    cosines = tuple(np.sum(x * y, axis=1, keepdims=True) for x in (m, tangent))
    weights = np.full((BATCH, 1), -sign * weight)
    numbers = np.concatenate([*cosines, weights], axis=1)
    angle, value = _kernels.best_waves(along, across, coefficients, numbers)
    room = 1e-9 * (np.abs(coefficients).sum(axis=1) + weight)
    plain_value = circle_waves.wave_scan(along, across, coefficients, weights, cosines).best()[1]
    assert (np.abs(value - plain_value) <= room).all()
    moved = np.cos(angle)[:, None] * along + np.sin(angle)[:, None] * across
    point = spheres.step(m, tangent, angle)
    reached = np.sum(coefficients * np.maximum(moved, 0), axis=1) + weights[:, 0] * expected_inner(
        geometry_angle(point, y)) * np.linalg.norm(point, axis=1)
    assert (np.abs(reached - value) <= 1e-6 * room / 1e-9).all()


def test_a_circle_does_not_depend_on_its_batch():
    data = some_circles(5, "gaussian", 4, False)
    angle, value = _kernels.best_on_circles(*data[:3], data[3].numbers)
    for i in range(BATCH):
        one = _kernels.best_on_circles(*(x[i:i + 1] for x in (*data[:3], data[3].numbers)))
        assert (one[0][0], one[1][0]) == (angle[i], value[i])


def test_numbers_that_are_none_do_no_harm():
    for bad in (np.nan, np.inf, -np.inf):
        along, across, coefficients, expected = some_circles(1, "gaussian", 3, False)
        along[0, 0] = across[1, 0] = coefficients[2, 0] = expected.numbers[3, 2] = bad
        angle, _ = _kernels.best_on_circles(along, across, coefficients, expected.numbers)
        assert angle.shape == (BATCH,)
