"""Gated sums along great circles: the exact best point of each (Fact 11)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from wdccheck import _kernels
from wdccheck.geometry.circle_profiles import OFF_WALL, Best, Profile

__all__ = ["OnCircle", "best_on_circle", "best_on_circles", "expected_on_circle", "relevant", "scan"]

Smooth = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]
"""(cos t, sin t), each (B, p), to the smooth part at t and at t + pi, each (B, p)."""

_GRID = 16
_STILL = 1e-7
"""A circle that keeps this close to a wall, relatively, slides along it: its gate is left as it is."""


def best_on_circle(
    along: np.ndarray, across: np.ndarray, coefficients: np.ndarray, expected: OnCircle
) -> Best:
    """The best points of sum_i coefficients_i 1[gate i open] + expected on B circles: see :func:`scan`.

    Where the point is now, and opposite to it, the value is always looked at.
    """
    breaks = 2 * max(1, int(np.count_nonzero(coefficients, axis=-1).max(initial=0)))
    best = _kernels.chosen("best_on_circles", best_on_circles)
    return Best(*best(along, across, coefficients, expected.numbers), breaks)


def best_on_circles(
    along: np.ndarray, across: np.ndarray, coefficients: np.ndarray, numbers: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Angle and value (B,) of the best points; `numbers` (B, 6) as of :class:`OnCircle`."""
    expected = OnCircle(numbers)
    kinks = np.concatenate([expected.kinks, np.tile([0.0, np.pi], (len(along), 1))], axis=1)
    return scan(along, across, coefficients, expected.values, kinks).best()


def scan(
    along: np.ndarray, across: np.ndarray, coefficients: np.ndarray, smooth: Smooth, kinks: np.ndarray
) -> Profile:
    """Profile of sum_i coefficients_i 1[gate i open] + smooth on B circles (Fact 11).

    Gate i is open where ``along_i cos t + across_i sin t > 0``. It toggles once in every half
    circle, and at t + pi exactly the other gates are open: n breakpoints are sorted, and both
    halves are read off one cumulative sum.

    Parameters
    ----------
    along, across, coefficients : ndarray of shape (B, n)
        w_i.r, w_i.tangent, and the summand of row i.
    smooth : callable
        See :data:`Smooth`.
    kinks : ndarray of shape (B, q)
        Angles at which the smooth part may have a corner: candidates like its maxima.
    """
    reach = np.abs(along) + np.abs(across)
    still = reach <= _STILL * np.max(reach, axis=-1, keepdims=True)
    steady = np.sum(coefficients, axis=-1, keepdims=True, where=still & (along > 0))
    along, across, coefficients = relevant(along, across, coefficients, ~still)
    opens = np.where(along > 0, -1.0, 1.0)  # +1: gate i opens in [0, pi); -1: it closes there
    distance = np.abs(along)
    facing = opens * across
    where = np.minimum(np.arctan2(distance, facing), np.nextafter(np.pi, 0))
    order = np.argsort(where, axis=-1)
    radius = np.hypot(distance, facing)
    breaks, cos, sin, jump = (np.take_along_axis(x, order, axis=-1) for x in (
        where, facing / radius, distance / radius, opens * coefficients))
    total = np.sum(coefficients, axis=-1, keepdims=True) + 2 * steady
    initial = np.sum(coefficients, axis=-1, keepdims=True, where=along > 0) + steady
    levels = np.concatenate([initial, initial + np.cumsum(jump, axis=-1)], axis=-1)
    here, opposite = smooth(cos, sin)
    inner, at_inner = _inner_maxima(breaks, levels, total, smooth, kinks)
    opposite += total
    earlier, level = levels[:, :-1], levels[:, 1:]
    return Profile(
        breaks=np.concatenate([breaks, breaks + np.pi], axis=-1),
        after=np.concatenate([here + level, opposite - level], axis=-1),
        before=np.concatenate([here + earlier, opposite - earlier], axis=-1),
        inner=inner,
        at_inner=at_inner,
    )


def relevant(
    along: np.ndarray, across: np.ndarray, coefficients: np.ndarray, moving: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The moving rows whose gate changes the sum, to the front; the rest is filled with nothing at pi."""
    used = (coefficients != 0) & moving
    counts = np.count_nonzero(used, axis=-1)
    width = max(1, int(counts.max(initial=0)))
    if width == along.shape[-1] and counts.min() == width:
        return along, across, coefficients
    found = np.flatnonzero(used)
    member = np.repeat(np.arange(len(used)), counts)
    target = np.arange(len(found)) + (np.arange(len(used)) * width - np.cumsum(counts) + counts)[member]
    result = []
    for source, rest in ((along, 0.0), (across, -1.0), (coefficients, 0.0)):
        packed = np.full(len(used) * width, rest)
        packed[target] = source.ravel()[found]
        result.append(packed.reshape(-1, width))
    return result[0], result[1], result[2]


def _inner_maxima(
    breaks: np.ndarray, levels: np.ndarray, total: np.ndarray, smooth: Smooth, kinks: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The two highest maxima of the smooth part, by a grid and one parabola, and the kinks."""
    grid = np.arange(_GRID) * (np.pi / _GRID)
    shape = (len(breaks), _GRID)
    here, there = smooth(np.broadcast_to(np.cos(grid), shape), np.broadcast_to(np.sin(grid), shape))
    values = np.concatenate([here, there], axis=-1)
    left, right = np.roll(values, 1, axis=-1), np.roll(values, -1, axis=-1)
    peaks = np.where((values > left) & (values >= right), values, -np.inf)
    chosen = np.argsort(-peaks, axis=-1, kind="stable")[:, :2]
    y0, y1, y2 = (np.take_along_axis(y, chosen, axis=-1) for y in (left, values, right))
    bend = y0 - 2 * y1 + y2
    shift = np.divide(0.5 * (y0 - y2), bend, out=np.zeros_like(bend), where=bend < 0)
    peak = (chosen + np.clip(shift, -1, 1)) * (np.pi / _GRID)
    angles = np.concatenate([peak, kinks], axis=-1) % (2 * np.pi)
    folded = np.where(angles >= np.pi, angles - np.pi, angles)
    here, there = smooth(np.cos(folded), np.sin(folded))
    passed = np.sum(breaks[:, None, :] <= folded[:, :, None], axis=-1)
    level = np.take_along_axis(levels, passed, axis=-1)
    walls = np.concatenate([breaks[:, -1:] - np.pi, breaks, breaks[:, :1] + np.pi], axis=-1)
    last, following = (np.take_along_axis(walls, passed + j, axis=-1) for j in (0, 1))
    clear = np.minimum(folded - last, following - folded) >= OFF_WALL  # on walls they have their own
    value = np.where(angles >= np.pi, total - level + there, level + here)
    return angles, np.where(clear, value, -np.inf)


@dataclass(frozen=True, eq=False)
class OnCircle:
    """weight u^T Q_{r(t),s} u along r(t) = cos(t) r + sin(t) tangent (Fact 11), for the search.

    Attributes
    ----------
    numbers : ndarray of shape (B, 6)
        r.s, tangent.s, r.u, tangent.u, s.u, and the weight.
    """

    numbers: np.ndarray

    @property
    def kinks(self) -> np.ndarray:
        """Where r(t) is nearest to s and to -s, (B, 2): the values may have a corner there."""
        return np.arctan2(self.numbers[:, 1:2], self.numbers[:, :1]) + np.array([0.0, np.pi])

    def values(self, cos: np.ndarray, sin: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(cos t, sin t), each (B, p), to the values at t and at t + pi."""
        c0, c1, p0, p1, q, weight = self.numbers.T[:, :, None]
        c = np.clip(c0 * cos + c1 * sin, -1.0, 1.0)  # cos theta
        p = p0 * cos + p1 * sin
        sine = np.sqrt(1.0 - c * c)
        m = np.divide(2 * p * q - c * (p * p + q * q), sine, out=np.zeros_like(c),
                      where=sine > 1e-8)  # sin(theta) u^T M u
        theta = np.arccos(c)
        return weight * ((np.pi - theta + m) / (2 * np.pi)), weight * ((theta - m) / (2 * np.pi))


def expected_on_circle(
    r: np.ndarray, tangent: np.ndarray, s: np.ndarray, u: np.ndarray, weight: np.ndarray
) -> OnCircle:
    """See :class:`OnCircle`; r, tangent, s, u (B, k) unit vectors, tangent.r = 0, weight (B,)."""
    dots = [np.einsum("bk,bk->b", x, y) for x, y in ((r, s), (tangent, s), (r, u), (tangent, u), (s, u))]
    return OnCircle(np.stack([*dots, weight], axis=1))
