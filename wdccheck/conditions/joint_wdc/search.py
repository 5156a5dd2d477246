"""One inequality of the joint-WDC along the great circle of one letter, for the search (Fact 11)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from wdccheck.conditions.joint_wdc.inequality import WeightedPair
from wdccheck.geometry import step_sums
from wdccheck.geometry.expectation import angle, expected_apply, expected_inner, unit
from wdccheck.geometry.profiles import Best
from wdccheck.geometry.step_sums import expected_on_circle
from wdccheck.geometry.wave_sums import best_of_wave

__all__ = ["circle_of", "coefficients_of", "together"]

_POWER = 8  # steps of a power iteration that starts close

Points = Mapping[str, np.ndarray]  # unit vectors, (B, dim)


def coefficients_of(pair: WeightedPair, points: Points, letter: str, u: np.ndarray) -> np.ndarray:
    """What row i adds to u^T A u while the gate of `letter` is open, (B, l).

    For a weighing letter m, per unit of c_i.m.
    """
    squares = len(pair.rows) * (u @ pair.rows.T) ** 2
    for x in pair.weighing:
        squares *= 1.0 if x == letter else pair.weight(points[x])
    for x in pair.gating:
        squares *= 1.0 if x == letter else points[x] @ pair.rows.T > 0
    return squares


def together(pair: WeightedPair, points: Points, u: np.ndarray) -> np.ndarray:
    """One direction for both weighing letters, by power steps on sum_i (b_i.u)^2 (c_i.z)_+^2 over open rows.

    The sum is convex in z, so that no step lowers it; where no row is open the direction stays.
    """
    first, second = (points[x] for x in pair.weighing)
    open_rows = np.logical_and(*(points[x] @ pair.rows.T > 0 for x in pair.gating))
    weight = (u @ pair.rows.T) ** 2 * open_rows
    z = unit(first + second)
    for _ in range(_POWER):
        z = unit((weight * pair.weight(z)) @ pair.others)
    return np.where(z.any(axis=1, keepdims=True), z, first)


def circle_of(
    pair: WeightedPair, points: Points, letter: str, tangent: np.ndarray, u: np.ndarray, sign: np.ndarray
) -> Best:
    """sign u^T (A - alpha kappa Q) u along the circle of `letter`, the other letters held."""
    base, letters = points[letter], pair.gating if letter in pair.gating else pair.weighing
    other = points[letters[1] if letter == letters[0] else letters[0]]
    coefficients = sign[:, None] * coefficients_of(pair, points, letter, u)
    weight = -sign * pair.alpha
    if letter in pair.weighing:
        r, s = (points[x] for x in pair.gating)
        weight = weight * np.sum(u * expected_apply(r, s, u), axis=-1)
        cosines = tuple(np.sum(x * other, axis=-1, keepdims=True) for x in (base, tangent))
        return best_of_wave(base @ pair.others.T, tangent @ pair.others.T, coefficients, weight[:, None],
                            (cosines[0], cosines[1]))
    weight = weight * expected_inner(angle(*(points[x] for x in pair.weighing)))
    expected = expected_on_circle(base, tangent, other, u, weight)
    return step_sums.best_on_circle(base @ pair.rows.T, tangent @ pair.rows.T, coefficients, expected)
