"""Gated sums whose summands are sinusoids, along a great circle (Fact 11, joint-WDC)."""

from __future__ import annotations

import numpy as np

from wdccheck import _kernels
from wdccheck.geometry.circle_profiles import Best, Profile
from wdccheck.geometry.circle_steps import relevant

__all__ = ["best_of_wave", "best_waves", "wave_scan"]

_REFINED = 4  # arcs of a circle whose interior maximum is refined
_STEPS = 4


def best_of_wave(
    along: np.ndarray, across: np.ndarray, coefficients: np.ndarray, weight: np.ndarray,
    cosines: tuple[np.ndarray, np.ndarray],
) -> Best:
    """The best points of B circles: see :func:`wave_scan`."""
    breaks = 2 * max(1, int(np.count_nonzero(coefficients, axis=-1).max(initial=0)))
    best = _kernels.chosen("best_waves", best_waves)
    return Best(*best(along, across, coefficients, np.concatenate([*cosines, weight], axis=1)), breaks)


def best_waves(
    along: np.ndarray, across: np.ndarray, coefficients: np.ndarray, numbers: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Angle and value (B,) of the best points; `numbers` (B, 3): m.y, tangent.y and the weight."""
    first, second, weight = np.split(numbers, 3, axis=1)
    return wave_scan(along, across, coefficients, weight, (first, second)).best()


def wave_scan(
    along: np.ndarray, across: np.ndarray, coefficients: np.ndarray, weight: np.ndarray,
    cosines: tuple[np.ndarray, np.ndarray],
) -> Profile:
    """Profile of sum_i coefficients_i (w_i.m(t))_+ + weight kappa(m(t), y) on B circles.

    On an arc between two walls the sum is P cos t + R sin t, and kappa, as a function of the cosine
    c of the angle between m(t) and y, has the derivative g = (pi - theta) / (2 pi). So a maximum inside
    an arc satisfies t = atan2(R + weight g c1, P + weight g c0): a fixed point, made safe by evaluation
    and by the ends of the arc, which are candidates too.

    Parameters
    ----------
    along, across, coefficients : ndarray of shape (B, n)
        w_i.m, w_i.tangent, and the coefficient of row i.
    weight : ndarray of shape (B, 1)
    cosines : tuple of ndarray of shape (B, 1)
        m.y and tangent.y, unit vectors.
    """
    along, across, coefficients = (
        np.concatenate([x, np.full((len(x), 1), rest)], axis=1)  # at pi every circle is cut, alone or not
        for x, rest in zip(relevant(along, across, coefficients, np.ones(along.shape, dtype=bool)),
                           (0.0, -1.0, 0.0), strict=True))
    opens = np.where(along > 0, -1.0, 1.0)  # +1: gate i opens in [0, pi); -1: it closes there
    where = np.minimum(np.arctan2(np.abs(along), opens * across), np.nextafter(np.pi, 0))
    order = np.argsort(where, axis=-1)
    half = np.take_along_axis(where, order, axis=-1)
    breaks = np.concatenate([half, half + np.pi], axis=-1)
    waves = []
    for products in (along, across):
        total = coefficients * products
        jump = np.take_along_axis(opens * total, order, axis=-1)
        initial = np.sum(total, axis=-1, keepdims=True, where=along > 0)
        waves.append(initial + np.cumsum(np.concatenate([jump, -jump], axis=-1), axis=-1))
    p, r = waves  # of the arc that begins at each break
    at_breaks = _value(breaks, p, r, weight, cosines)
    ends = np.concatenate([breaks[:, 1:], breaks[:, :1] + 2 * np.pi], axis=-1)
    angle = _fixed_point(0.5 * (breaks + ends), breaks, ends, p, r, weight, cosines)
    value = np.where(ends > breaks, _value(angle, p, r, weight, cosines), -np.inf)
    best = np.argsort(-value, axis=-1)[:, :_REFINED]
    inner, low, high, p, r = (np.take_along_axis(x, best, axis=-1) for x in (angle, breaks, ends, p, r))
    found = np.take_along_axis(value, best, axis=-1)
    for _ in range(_STEPS):
        trial = _newton(inner, low, high, p, r, weight, cosines)
        raised = _value(trial, p, r, weight, cosines)
        inner, found = np.where(raised > found, trial, inner), np.maximum(raised, found)
    return Profile(breaks, at_breaks, at_breaks, inner % (2 * np.pi), found)


def _cosine(t: np.ndarray, cosines: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    return np.clip(cosines[0] * np.cos(t) + cosines[1] * np.sin(t), -1.0, 1.0)


def _value(
    t: np.ndarray, p: np.ndarray, r: np.ndarray, weight: np.ndarray, cosines: tuple[np.ndarray, np.ndarray]
) -> np.ndarray:
    c = _cosine(t, cosines)
    kappa = ((np.pi - np.arccos(c)) * c + np.sqrt(1 - c * c)) / (2 * np.pi)
    result: np.ndarray = p * np.cos(t) + r * np.sin(t) + weight * kappa
    return result


def _fixed_point(
    t: np.ndarray, low: np.ndarray, high: np.ndarray, p: np.ndarray, r: np.ndarray, weight: np.ndarray,
    cosines: tuple[np.ndarray, np.ndarray],
) -> np.ndarray:
    """The next angle, as far as the arc [low, high] allows."""
    g = weight * (np.pi - np.arccos(_cosine(t, cosines))) / (2 * np.pi)
    peak = np.arctan2(r + g * cosines[1], p + g * cosines[0])
    peak = low + (peak - low) % (2 * np.pi)
    past = peak > high
    nearer = np.where(peak - high < low + 2 * np.pi - peak, high, low)
    result: np.ndarray = np.where(past, nearer, peak)
    return result


def _newton(
    t: np.ndarray, low: np.ndarray, high: np.ndarray, p: np.ndarray, r: np.ndarray, weight: np.ndarray,
    cosines: tuple[np.ndarray, np.ndarray],
) -> np.ndarray:
    """A Newton step inside the arc where the curve is concave; the fixed point elsewhere."""
    cos, sin, c = np.cos(t), np.sin(t), _cosine(t, cosines)
    slope = cosines[1] * cos - cosines[0] * sin  # of c
    g = (np.pi - np.arccos(c)) / (2 * np.pi)
    first = r * cos - p * sin + weight * g * slope
    sine = np.sqrt(1 - c * c)
    bend = np.divide(slope * slope, 2 * np.pi * sine, out=np.zeros_like(c), where=sine > 1e-8)
    second = -p * cos - r * sin + weight * (bend - g * c)
    step = np.divide(first, second, out=np.zeros_like(c), where=second < 0)
    fixed = _fixed_point(t, low, high, p, r, weight, cosines)
    result: np.ndarray = np.where(second < 0, np.clip(t - step, low, high), fixed)
    return result
