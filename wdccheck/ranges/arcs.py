"""The range of a network along great circles of latent codes: linear on every arc (Fact 11)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from wdccheck.geometry.circle_profiles import Best, Profile, gathered

__all__ = ["Arcs", "Values", "few", "in_chunks", "linear_arcs", "profile", "quotients", "sampled"]

_THIN = 1e-12
_VANISHING = 1e-20
_ENTRIES = 2**21  # of one temporary array
_PER_CIRCLE = 150_000  # entries beyond which only a part of the circle is looked at
_ANGLES = np.array([sign * t for t in 10.0 ** np.linspace(-4, np.log10(np.pi), 16) for sign in (1, -1)])
_SHARE = 0.25  # work of the circles that are cut into arcs, in that of those that are sampled
_UNIT = 0.03  # work of a unit at a sample
_BREAK = (0.25, 0.002)  # work of an entry and of each product in it, in breakpoints of a gated sum

Values = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""(arc numbers, angles) to values there."""


@dataclass(frozen=True, eq=False)
class Arcs:
    """Arcs of B circles, in the order of circles and angles; on each, a vector cos t p + sin t q.

    Attributes
    ----------
    owner : ndarray of int, shape (A,)
        The circle of each arc.
    start, stop : ndarray of shape (A,)
        Radians, within [0, 2 pi]; an arc is no longer than pi, unless the vector is 0 there.
    p, q : ndarray of shape (A, c, n)
        c = 1: of a code; c = 2: of a first code, and of its difference with a second one.
    """

    owner: np.ndarray
    start: np.ndarray
    stop: np.ndarray
    p: np.ndarray
    q: np.ndarray

    def through(self, W: np.ndarray) -> Arcs:
        """The same after a layer W (m, n) with its ReLU, cut where a unit opens or closes."""
        p, q = self.p @ W.T, self.q @ W.T
        forms = _forms(p, q)
        parent, start, stop = _cut(self.start, self.stop, forms)
        middle = (start + stop) / 2
        cos, sin = np.cos(middle)[:, None], np.sin(middle)[:, None]
        gates = [cos * f[parent] + sin * g[parent] > 0 for f, g in forms]
        return Arcs(self.owner[parent], start, stop, _gated(p[parent], gates), _gated(q[parent], gates))

    def cut(self, rows: np.ndarray) -> Arcs:
        """The same, cut where w.(cos t p + sin t q) = 0 for one of the rows (m, n)."""
        parent, start, stop = _cut(self.start, self.stop, _forms(self.p @ rows.T, self.q @ rows.T))
        return Arcs(self.owner[parent], start, stop, self.p[parent], self.q[parent])


def _forms(p: np.ndarray, q: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """The inputs of the units at every code."""
    first = (p[:, 0], q[:, 0])
    return [first] if p.shape[1] == 1 else [first, (p[:, 0] - p[:, 1], q[:, 0] - q[:, 1])]


def _gated(p: np.ndarray, gates: Sequence[np.ndarray]) -> np.ndarray:
    """g1 p1 and g1 p1 - g2 (p1 - d) = g2 d + (g1 - g2) p1, which is g d exactly where g1 = g2."""
    first = gates[0] * p[:, 0]
    if len(gates) == 1:
        return first[:, None]
    return np.stack([first, gates[1] * p[:, 1] + (gates[0].astype(float) - gates[1]) * p[:, 0]], axis=1)


def _cut(
    start: np.ndarray, stop: np.ndarray, forms: Sequence[tuple[np.ndarray, np.ndarray]]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Parents, starts and stops of the arcs cut at the zeros of cos t f + sin t g; f, g (A, m)."""
    cos, sin, cos_stop, sin_stop = (x[:, None] for x in (np.cos(start), np.sin(start), np.cos(stop),
                                                         np.sin(stop)))
    parents, angles = [np.arange(len(start))], [start]
    for f, g in forms:
        arc, row = np.nonzero((cos * f + sin * g > 0) != (cos_stop * f + sin_stop * g > 0))
        root = (np.arctan2(-f[arc, row], g[arc, row]) - start[arc]) % np.pi
        parents.append(arc)
        angles.append(np.minimum(start[arc] + root, stop[arc]))
    parent, begin = np.concatenate(parents), np.concatenate(angles)
    order = np.lexsort((begin, parent))
    parent, begin = parent[order], begin[order]
    end = np.where(np.append(parent[1:] == parent[:-1], False), np.append(begin[1:], 0.0), stop[parent])
    kept = end - begin > _THIN
    return parent[kept], begin[kept], end[kept]


def linear_arcs(base: np.ndarray, tangent: np.ndarray, reach: float = np.pi) -> Arcs:
    """cos t base + sin t tangent for t within `reach` <= pi of 0; base, tangent (B, c, k).

    What is left out is an arc on which the vector is 0.
    """
    ends = np.array([0.0, reach, 2 * np.pi - reach, 2 * np.pi])
    kept = np.diff(ends) > 0
    count, here = len(base), np.tile(np.array([True, False, True])[kept], len(base))
    owner = np.repeat(np.arange(count), int(kept.sum()))
    start, stop = np.tile(ends[:-1][kept], count), np.tile(ends[1:][kept], count)
    shown = here[:, None, None]
    return Arcs(owner, start, stop, base[owner] * shown, tangent[owner] * shown)


def quotients(arcs: Arcs, z: np.ndarray) -> tuple[Values, np.ndarray]:
    """z.u/||u|| for u = cos t p + sin t q of the last code, z (B, n); and its maximum on each arc.

    It is maximal at S^{-1} (z.p, z.q), S the Gram matrix of p and q; where that angle is not on
    the arc, the middle of the arc is given.
    """
    p, q, target = arcs.p[:, -1], arcs.q[:, -1], z[arcs.owner]
    zp, zq, pp, pq, qq = (np.einsum("an,an->a", x, y) for x, y in (
        (target, p), (target, q), (p, p), (p, q), (q, q)))

    def values(arc: np.ndarray, angle: np.ndarray) -> np.ndarray:
        c, s = np.cos(angle), np.sin(angle)
        square = c * c * pp[arc] + 2 * c * s * pq[arc] + s * s * qq[arc]
        seen = square > _VANISHING * (pp[arc] + qq[arc])
        top = c * zp[arc] + s * zq[arc]
        return np.where(seen, top / np.sqrt(np.where(seen, square, 1.0)), -np.inf)

    peak = np.arctan2(pp * zq - pq * zp, qq * zp - pq * zq) % (2 * np.pi)
    inside = (peak > arcs.start) & (peak < arcs.stop)
    return values, np.where(inside, peak, (arcs.start + arcs.stop) / 2)


def profile(arcs: Arcs, count: int, values: Values, inner: np.ndarray) -> Profile:
    """The profile of `count` circles from the values at both ends of each arc and at `inner` (A,)."""
    number = np.arange(len(arcs.owner))
    first = np.searchsorted(arcs.owner, np.arange(count))
    sizes = np.diff(np.append(first, len(number)))
    column, width = number - first[arcs.owner], int(sizes.max()) + 1
    end = arcs.start[first] + 2 * np.pi  # empty arcs to fill up with
    breaks = np.repeat(end[:, None], width, axis=1)
    after, before, at_inner = (np.full((count, width), -np.inf) for _ in range(3))
    angles = np.zeros((count, width))
    breaks[arcs.owner, column] = arcs.start
    after[arcs.owner, column] = values(number, arcs.start)
    before[arcs.owner, column + 1] = values(number, arcs.stop)
    angles[arcs.owner, column] = inner
    at_inner[arcs.owner, column] = values(number, inner)
    return Profile(breaks, after, before, angles, at_inner)


def in_chunks(
    layers: Sequence[np.ndarray], base: np.ndarray, tangent: np.ndarray,
    finish: Callable[[Arcs, slice], Profile], gates: int = 0,
) -> Best:
    """`finish` of the arcs behind all `layers`, a few circles at a time; base, tangent (B, c, k).

    `gates` is the number of rows whose gates will cut the arcs once more. Of a wide network only as
    much of the circle is looked at, around the base, as a fixed amount of work allows.
    """
    entries, share = _cutting(layers, base.shape[1], gates)
    size = max(1, int(_ENTRIES // (entries * share)))
    inputs = max((W.shape[1] for W in layers), default=0)
    work = entries * share * (_BREAK[0] + _BREAK[1] * inputs)
    parts = []
    for start in range(0, len(base), size):
        chunk = slice(start, start + size)
        arcs = linear_arcs(base[chunk], tangent[chunk], share * np.pi)
        for W in layers:
            arcs = arcs.through(W)
        parts.append(Best.of(finish(arcs, chunk), work))
    return gathered(parts, [np.arange(len(base))])


def sampled(
    layers: Sequence[np.ndarray], base: np.ndarray, tangent: np.ndarray,
    values: Callable[[np.ndarray, np.ndarray], np.ndarray], gates: int = 0,
) -> Best:
    """The best points of circles (B, d) known at some angles, more of them near the base.

    `values` takes the numbers of circles (P,) and points on them (P, d).
    """
    points = np.cos(_ANGLES)[:, None] * base[:, None] + np.sin(_ANGLES)[:, None] * tangent[:, None]
    circle = np.repeat(np.arange(len(base)), len(_ANGLES))
    found = values(circle, points.reshape(len(circle), -1)).reshape(len(base), -1)
    top = np.argmax(found, axis=1)
    return Best(_ANGLES[top], found[np.arange(len(base)), top], 1, _sampling(layers, gates))


def few(layers: Sequence[np.ndarray], count: int, codes: int, gates: int = 0) -> int:
    """How many of `count` circles can be cut into arcs for a fraction of the work of sampling them all."""
    entries, share = _cutting(layers, codes, gates)
    inputs = max((W.shape[1] for W in layers), default=0)
    whole = entries * share * (_BREAK[0] + _BREAK[1] * inputs)
    return min(count, int(_SHARE * count * _sampling(layers, gates) / whole))


def _sampling(layers: Sequence[np.ndarray], gates: int) -> float:
    """Work of a sampled circle."""
    entries = sum(W.size for W in layers) + gates * (len(layers[-1]) if layers else 1)
    return 2 * len(_ANGLES) * (_BREAK[1] * entries + _UNIT * (sum(len(W) for W in layers) + gates))


def _cutting(layers: Sequence[np.ndarray], codes: int, gates: int) -> tuple[float, float]:
    """Entries of a circle cut into arcs, and the share of it that is looked at."""
    widths = [*(len(W) for W in layers), gates or 1]
    entries = 2 * codes**2 * sum(widths) * max(widths)
    return entries, min(1.0, _PER_CIRCLE / entries)
