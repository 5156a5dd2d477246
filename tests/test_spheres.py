import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wdccheck.geometry import profiles, spheres
from wdccheck.geometry.profiles import Best, Profile

SEEDS = st.integers(0, 2**32 - 1)
BLOCKS = {("r",): 3, ("x1", "x2"): 4}


def test_sample_is_unit_per_block_and_reproducible():
    points = spheres.sample(BLOCKS, np.random.default_rng(1), 50)
    assert {x: v.shape for x, v in points.items()} == {"r": (50, 3), "x1": (50, 2), "x2": (50, 2)}
    np.testing.assert_allclose(np.linalg.norm(points["r"], axis=1), 1.0)
    joint = np.concatenate([points["x1"], points["x2"]], axis=1)
    np.testing.assert_allclose(np.linalg.norm(joint, axis=1), 1.0)
    assert (np.linalg.norm(points["x1"], axis=1) < 1).all()  # scaled jointly, not each
    again = spheres.sample(BLOCKS, np.random.default_rng(1), 50)
    for letter, value in points.items():
        np.testing.assert_array_equal(value, again[letter])


def test_sample_is_uniform():
    r = spheres.sample({("r",): 3}, np.random.default_rng(0), 20_000)["r"]
    np.testing.assert_allclose(r.mean(axis=0), 0.0, atol=0.02)
    np.testing.assert_allclose(r.T @ r / len(r), np.eye(3) / 3, atol=0.02)  # Archimedes


class _Zeros:
    def standard_normal(self, shape):
        return np.zeros(shape)


def test_sample_survives_a_zero_draw():
    r = spheres.sample({("r",): 4}, _Zeros(), 2)["r"]
    np.testing.assert_allclose(np.linalg.norm(r, axis=1), 1.0)


@given(SEEDS)
def test_join_and_split_are_inverse(seed):
    points = spheres.sample(BLOCKS, np.random.default_rng(seed), 7)
    for block in BLOCKS:
        parts = spheres.split_block(block, spheres.join(points, block))
        for letter in block:
            np.testing.assert_allclose(parts[letter], points[letter], rtol=1e-12)


@given(SEEDS, st.integers(2, 5))
def test_tangents_and_steps_stay_on_the_sphere(seed, k):
    rng = np.random.default_rng(seed)
    base = spheres.sample({("r",): k}, rng, 6)["r"]
    toward = rng.standard_normal((6, k))
    toward[0] = base[0] + 1e-9 * toward[0]  # cancellation
    tangent = spheres.unit_tangent(base, toward)
    np.testing.assert_allclose(np.sum(base * tangent, axis=1), 0.0, atol=1e-15)
    np.testing.assert_allclose(np.linalg.norm(tangent, axis=1), 1.0, rtol=1e-12)
    angle = rng.uniform(0, 2 * np.pi, 6)
    moved = spheres.step(base, tangent, angle)
    np.testing.assert_allclose(np.linalg.norm(moved, axis=1), 1.0, rtol=1e-12)
    np.testing.assert_allclose(np.sum(base * moved, axis=1), np.cos(angle), atol=1e-12)


def test_no_tangent_toward_the_base():
    base = np.array([[1.0, 0.0], [0.0, 1.0]])
    np.testing.assert_array_equal(spheres.unit_tangent(base, 3 * base), np.zeros((2, 2)))


def profile(breaks, after, before, inner=0.0, at_inner=-1.0):
    rows = (np.atleast_2d(np.array(x, float)) for x in (breaks, after, before, inner, at_inner))
    return Profile(*rows)


def test_best_after_a_break():
    angle, value = profile([0.5, 2.0, 4.0], [1.0, 5.0, 2.0], [2.0, 1.0, 3.0]).best()
    assert value == 5.0 and 2.0 < angle[0] < 2.0 + 1e-6


def test_best_before_a_break():
    angle, value = profile([0.5, 2.0, 4.0], [1.0, 5.0, 2.0], [2.0, 1.0, 6.0]).best()
    assert value == 6.0 and 4.0 - 1e-6 < angle[0] < 4.0


def test_best_before_the_first_break_lies_on_the_last_arc():
    angle, value = profile([0.0, 2.0, 4.0], [1.0, 2.0, 3.0], [9.0, 1.0, 2.0]).best()
    assert value == 9.0 and -1e-6 < angle[0] < 0.0


def test_best_inside_an_arc():
    angle, value = profile([0.5, 2.0], [1.0, 2.0], [2.0, 1.0], [0.7, 3.0], [4.0, 7.0]).best()
    assert value == 7.0 and angle == 3.0


def test_an_arc_too_thin_for_floats_is_never_chosen():
    breaks = [0.5, 1.0, 1.0 + 1e-13, 3.0]  # the arc after the second break is no place to be
    angle, value = profile(breaks, [1.0, 9.0, 2.0, 1.0], [1.0, 2.0, 9.0, 1.5]).best()
    assert value == 2.0
    angle, value = profile([1.0, 1.0, 3.0], [9.0, 2.0, 1.0], [3.0, 9.0, 1.5]).best()
    assert value == 3.0 and 1.0 - 1e-6 < angle[0] < 1.0


def test_a_short_arc_is_entered_by_a_quarter():
    breaks = [1.0, 1.0 + 1e-10, 3.0]
    angle, value = profile(breaks, [9.0, 2.0, 1.0], [1.0, 9.0, 1.5]).best()
    assert value == 9.0 and breaks[0] < angle[0] < breaks[1]


@pytest.mark.parametrize("exponent", [0, 3, -5])
def test_scaled_changes_values_only(exponent):
    one = Best.of(profile([0.5, 2.0], [1.0, 2.0], [2.0, 1.0], [0.7], [4.0]), work=7.0)
    two = one.scaled(exponent)
    np.testing.assert_array_equal(two.angle, one.angle)
    np.testing.assert_array_equal(two.value, one.value * 2.0**exponent)
    assert (two.breaks, two.work) == (2, 7.0)


def test_gathered_parts_are_in_the_order_of_the_batch():
    one, two = Best(np.arange(3.0), -np.arange(3.0), 4, 9.0), Best(np.arange(3.0, 7), np.ones(4), 6)
    both = profiles.gathered([one, two], [np.array([6, 0, 3]), np.array([1, 2, 5, 4])])
    np.testing.assert_array_equal(both.angle, [1, 3, 4, 2, 6, 5, 0])
    np.testing.assert_array_equal(both.value, [-1, 1, 1, -2, 1, 1, 0])
    assert (both.breaks, both.work) == (6, 9.0)
