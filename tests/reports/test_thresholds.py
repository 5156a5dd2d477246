"""Thresholds of the theorems, and margins."""

from __future__ import annotations

import math

import pytest

from wdccheck.reports.thresholds import (
    NOT_GIVEN,
    explicit,
    gaussian_expansion,
    margin,
    pair_threshold,
    thresholds,
)


@pytest.mark.parametrize(("depth", "value"), [(2, 2.47e-5), (3, 4.89e-6)])
def test_lemma_8_at_the_depths_that_the_theory_lists(depth, value):
    assert explicit(depth) == pytest.approx(value, rel=2e-3)


def test_the_threshold_is_rounded_down():
    import mpmath

    with mpmath.workdps(50):
        for depth in range(2, 40):
            assert mpmath.mpf(explicit(depth)) < 1 / (16 * mpmath.pi * depth**2) ** 2


@pytest.mark.parametrize("depth", [0, 1])
def test_one_layer_has_no_threshold(depth):
    assert explicit(depth) is None
    assert all(t.reason and t.value is None for t in thresholds(depth))
    assert pair_threshold(depth, 2).reason == pair_threshold(2, depth).reason == thresholds(1)[0].reason


def test_theorems_without_constants_have_no_number():
    *first, third, fourth = thresholds(3)
    assert all(t.value == explicit(3) and t.reason == "" for t in first)
    others = [third, fourth, pair_threshold(2, 2)]
    assert all(t.value is None and t.reason == NOT_GIVEN for t in others)


def test_margin_is_a_factor():
    assert margin(explicit(2) * 8, explicit(2)) == 8


def test_gaussian_expansion_is_fact_16_solved_for_the_shape():
    low, high = gaussian_expansion(0.3)
    assert (2 * math.sqrt(1 / low), 4 * math.sqrt(1 / high)) == pytest.approx((0.3, 0.3))
    low, high = gaussian_expansion(explicit(2))
    assert 1e9 < low < high < 1e11
