"""How a search climbs in the joint-WDC: the larger part, along the circle of one letter (Fact 11)."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from wdccheck.conditions.joint_wdc.parts import Inequalities, WeightedPair
from wdccheck.conditions.joint_wdc.seeds import joint_seeds
from wdccheck.geometry import circle_steps, tangents
from wdccheck.geometry.circle_profiles import Best, gathered
from wdccheck.geometry.circle_steps import expected_on_circle
from wdccheck.geometry.circle_waves import best_of_wave
from wdccheck.geometry.expectation import angle, expected_apply, expected_inner, unit
from wdccheck.geometry.spheres import Block, Points
from wdccheck.protocol.search import Frozen, in_pieces

__all__ = ["Search", "circle_of", "coefficients_of", "together"]

_PARTNER = {"h": "x", "x": "h", "m": "y", "y": "m"}
_POWER = 8  # steps of a power iteration that starts close


@dataclass(frozen=True, eq=False)
class Search:
    """sign u^T (A - alpha kappa Q) u of the part that is larger at a point, u frozen."""

    both: Inequalities

    @property
    def width(self) -> int:
        """Numbers of one point in the largest temporary array."""
        return max(*self.both.B.shape, self.both.C.shape[1])

    @in_pieces
    def freeze(self, points: Points, near: Frozen | None = None, sign: float | None = None) -> Frozen:
        """The extreme eigenvector of the larger part, padded with zeros where the other part's would be."""
        n = self.both.B.shape[1]
        sides = (None, None) if near is None else (near.u[:, :n], near.u[:, n:])
        (u, first), (v, second) = (pair.extreme(points, side, sign)
                                   for pair, side in zip(self.both.parts.values(), sides, strict=True))
        by_first = np.abs(first) >= np.abs(second) if sign is None else sign * first >= sign * second
        both = np.concatenate([u * by_first[:, None], v * ~by_first[:, None]], axis=1)
        value = np.where(by_first, first, second)
        signs = np.where(value < 0, -1.0, 1.0) if sign is None else np.full(len(value), sign)
        return Frozen(both, both, signs, np.ldexp(signs * value, self.both.scale))

    def circle(self, points: Points, block: Block, tangent: np.ndarray, frozen: Frozen) -> Best:
        """The frozen form along the circle of one letter: a gated sum, or one of sinusoids (Fact 11)."""
        (letter,) = block
        parts, members = [], []
        for pair, some, here, u in self._split(points, frozen):
            parts.append(circle_of(pair, here, letter, tangent[some], u, frozen.sign[some]))
            members.append(some)
        found = gathered(parts, members)
        return replace(found, work=found.breaks + self._work).scaled(self.both.scale)

    def tangents(
        self, points: Points, block: Block, frozen: Frozen, rng: np.random.Generator
    ) -> Sequence[np.ndarray]:
        """Toward gates of large coefficient, or along the gradient; toward the partner; anywhere."""
        (letter,) = block
        base, other = unit(points[letter]), unit(points[_PARTNER[letter]])
        rows = self.both.B if letter in "hx" else self.both.C
        along, toward = base @ rows.T, np.empty_like(base)
        for pair, some, here, u in self._split(points, frozen):
            coefficients = coefficients_of(pair, here, letter, u)
            if letter in pair.gating:
                toward[some] = tangents.soft_gradient(rows, along[some], coefficients, rng)
            else:
                toward[some] = (coefficients * (along[some] > 0)) @ rows
        choice = rng.random((len(base), 1))
        astray = np.where(choice < 0.75, other, rng.standard_normal(base.shape))
        return toward, tangents.off_walls(rows, along, np.where(choice < 0.5, toward, astray), rng), other

    def free_step(self, points: Points, frozen: Frozen) -> Points:
        """The weighing letters of the larger part moved together, see :func:`together`."""
        moved = {x: p.copy() for x, p in points.items()}
        for pair, some, here, u in self._split(points, frozen):
            first, second = pair.weighing
            moved[first][some] = moved[second][some] = together(pair, here, u)
        return moved

    def seeds(self, rng: np.random.Generator, n: int, near: Points | None = None,
              deadline: float = math.inf) -> Points:
        """Pairs as of the WDC on both sides, many of them aligned."""
        return joint_seeds(self.both.B, self.both.C, rng, n) if near is None else near

    def _split(
        self, points: Points, frozen: Frozen
    ) -> Iterator[tuple[WeightedPair, np.ndarray, Points, np.ndarray]]:
        """Each part with the members of the batch that it maximizes, as unit vectors, and their u."""
        n = self.both.B.shape[1]
        second = frozen.u[:, n:].any(axis=1)
        for name, chosen, u in (("B", ~second, frozen.u[:, :n]), ("C", second, frozen.u[:, n:])):
            some = np.flatnonzero(chosen)
            if len(some):
                yield self.both.parts[name], some, {x: unit(p[some]) for x, p in points.items()}, u[some]

    @cached_property
    def _work(self) -> float:
        """What the eigenvectors of both parts at a point cost, in breakpoints of a gated sum."""
        B, C = self.both.B, self.both.C
        return sum(1.5 * len(B) + 2 * min(k, 40) ** 2 for k in (B.shape[1], C.shape[1]))


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
    return circle_steps.best_on_circle(base @ pair.rows.T, tangent @ pair.rows.T, coefficients, expected)
