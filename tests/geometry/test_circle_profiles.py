"""Profiles along circles: where the best point lies."""

from __future__ import annotations

import numpy as np
import pytest

from wdccheck.geometry import circle_profiles
from wdccheck.geometry.circle_profiles import Best, Profile


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
    both = circle_profiles.gathered([one, two], [np.array([6, 0, 3]), np.array([1, 2, 5, 4])])
    np.testing.assert_array_equal(both.angle, [1, 3, 4, 2, 6, 5, 0])
    np.testing.assert_array_equal(both.value, [-1, 1, 1, -2, 1, 1, 0])
    assert (both.breaks, both.work) == (6, 9.0)
