"""What conditions of a range share: z.u/||u|| over its differences u = G(x1) - G(x2), and how to climb it.

The two letters of a difference are one block, scaled jointly.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from wdccheck.geometry import circle_profiles, spheres
from wdccheck.geometry.circle_profiles import Best, Profile
from wdccheck.geometry.expectation import unit
from wdccheck.geometry.spheres import Block, Points
from wdccheck.linalg import inputs, rounding
from wdccheck.ranges import differences
from wdccheck.ranges.arcs import Arcs, few, in_chunks, profile, quotients, sampled

__all__ = ["STEPS", "Jump", "Met", "Secants", "Sided", "best_of", "codes", "jumped", "simple_codes", "toward"]

STEPS = (1e-4, 1e-3, 3e-3, 1e-2, 3e-2, 0.1, 0.2, 0.4, 0.7, 1.0)
"""Of the way toward a target."""
_JUMPS = 6
_JUMPING = 2**31  # products of the jumps of all seeds together
_ENTRIES = 2**21  # of one temporary array
_LOST = 2.0**-537  # by the length of a number whose square underflows

Met = tuple[dict[str, np.ndarray], np.ndarray]
"""Points, letters to (B, k), and their values (B,)."""

Jump = Callable[[dict[str, np.ndarray], np.ndarray], tuple[dict[str, np.ndarray], Iterable[Met]]]
"""Points and the part (B, 1) of the way to their targets, to where that leads and what is met there."""


@dataclass(frozen=True)
class Sided:
    """A range difference with the error of each entry, and its length from below and above.

    A square loses 2^-1075 at most where it underflows: the root of a sum of n moves by less than n 2^-537.
    """

    value: np.ndarray
    error: np.ndarray

    @property
    def longest(self) -> float:
        """At least the exact length."""
        n = len(self.value)
        total = float(np.linalg.norm(self.value)) + float(np.linalg.norm(self.error))
        return total * (1 + rounding.gamma(2 * n + 16)) + 2 * n * _LOST

    @property
    def shortest(self) -> float:
        """At most the exact length; 0 if that may be 0."""
        lost = rounding.gamma(2 * len(self.value) + 16)
        value, error = float(np.linalg.norm(self.value)), float(np.linalg.norm(self.error))
        return max((value * (1 - lost) - error * (1 + lost) - 2 * len(self.value) * _LOST) * (1 - lost), 0.0)


def codes(points: Points, letters: Sequence[str], k: int) -> tuple[dict[str, np.ndarray], tuple[int, ...]]:
    """The letters broadcast against each other, flat (B, k), and the shape of the batch."""
    found = np.broadcast_arrays(*(inputs.vectors(x, points[x], k) for x in letters))
    return {x: p.reshape(-1, k) for x, p in zip(letters, found, strict=True)}, found[0].shape[:-1]


@dataclass(frozen=True, eq=False)
class Secants:
    """The differences of one range.

    Parameters
    ----------
    layers : tuple of ndarray
        Those of :func:`ranges.rescaled`; none for R^k.
    k : int
        The latent dimension.
    block : tuple of two str
        The letters of the two codes.
    """

    layers: tuple[np.ndarray, ...]
    k: int
    block: Block = ("x1", "x2")

    @property
    def spheres(self) -> dict[Block, int]:
        """One sphere in R^{2k}."""
        return {self.block: 2 * self.k}

    @property
    def width(self) -> int:
        """The most coordinates of a value on the way through the range."""
        return max([2 * self.k, *(len(W) for W in self.layers)])

    def vectors(self, points: Points) -> np.ndarray:
        """Unit u (B, n); 0 where both codes have one image."""
        return unit(differences.secants(self.layers, *self._normal(points)))

    def sharp_vectors(self, points: Points) -> np.ndarray:
        """The same to 12 digits, however near the two codes are."""
        return unit(differences.sharpened(self.layers, *self._normal(points))[0])

    def enclosed(self, points: Points) -> Sided:
        """u of one point, times a power of two, with errors."""
        return Sided(*(x[0] for x in differences.sharpened(self.layers, *self._normal(points))))

    def circle(self, points: Points, tangent: np.ndarray, z: np.ndarray) -> Best:
        """z.u/||u|| along the circle of the block, z (B, n): samples, and a few whole circles."""
        base = spheres.join(points, self.block)
        first = few(self.layers, len(base), 2)

        def values(circle: np.ndarray, moved: np.ndarray) -> np.ndarray:
            u = unit(differences.secants(self.layers, *np.split(moved, 2, axis=1)))
            return np.einsum("bn,bn->b", u, z[first:][circle])

        parts = [self.whole_circle(base[:first], tangent[:first], z[:first])] if first else []
        if first < len(base):
            parts.append(sampled(self.layers, base[first:], tangent[first:], values))
        return circle_profiles.gathered(parts, np.split(np.arange(len(base)), [first])[-len(parts):])

    def whole_circle(self, base: np.ndarray, tangent: np.ndarray, z: np.ndarray) -> Best:
        """The same, with the exact best point of every arc (Fact 11)."""
        def finish(arcs: Arcs, chunk: slice) -> Profile:
            values, inner = quotients(arcs, z[chunk])
            return profile(arcs, len(z[chunk]), values, inner)

        return in_chunks(self.layers, _coded(base), _coded(tangent), finish)

    def tangents(self, points: Points, z: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
        """Toward the maximizer over the present cones; near it; random, of one code, of the difference."""
        base, matrix = self.aimed(points)
        exact = unit(differences.ascent_direction(matrix, z))
        noise = rng.standard_normal((len(base), 2, self.k))
        kind = rng.integers(4, size=(len(base), 1))
        noise[:, 0] *= kind != 1
        noise[:, 1] *= kind != 2
        noise[:, 1] = np.where(kind == 3, -noise[:, 0], noise[:, 1])
        random = noise.reshape(len(base), -1)
        near = exact + 10.0 ** rng.uniform(-2, 0, (len(base), 1)) * unit(random)
        return exact, near, random, random

    def aimed(self, points: Points) -> tuple[np.ndarray, np.ndarray]:
        """The block as one vector (B, 2k), and the L of its two cones, u = L (x1, x2)."""
        base = spheres.join(points, self.block)
        return base, differences.secant_matrix(self.layers, *np.split(base, 2, axis=1))

    def free_step(
        self, points: Points, z: np.ndarray, value: Callable[[np.ndarray], np.ndarray]
    ) -> dict[str, np.ndarray]:
        """Toward the maximizer of z.u/||u|| over the present cones, as far as pays in `value` of unit u."""
        base, matrix = self.aimed(points)
        target = unit(differences.ascent_direction(matrix, z))
        moved = (spheres.split_block(self.block, toward(base, target, t)) for t in STEPS)
        return best_of((there, value(self.vectors(there))) for there in moved)

    def spread(self, points: dict[str, np.ndarray], near: np.ndarray) -> None:
        """Of four random pairs one made to coincide but for `near` (n, 1), and one with a code 0."""
        first, second = self.block
        kind, moved = np.arange(len(near))[:, None] % 4, points[first] + near * points[second]
        points[second] = np.where(kind == 1, moved, np.where(kind == 2, 0.0, points[second]))

    def seeds(self, rng: np.random.Generator, n: int) -> dict[str, np.ndarray]:
        """Random pairs, pairs that nearly coincide, one code 0."""
        points = spheres.sample(self.spheres, rng, n)
        self.spread(points, 10.0 ** rng.uniform(-6, -1, (n, 1)))
        return points

    def _normal(self, points: Points) -> tuple[np.ndarray, np.ndarray]:
        """A pair scaled jointly by a power of two, exactly unless it holds numbers far apart."""
        x1, x2 = (points[letter].reshape(-1, self.k) for letter in self.block)
        _, exponent = np.frexp(np.maximum(np.abs(x1).max(axis=1), np.abs(x2).max(axis=1)))
        return np.ldexp(x1, -exponent[:, None]), np.ldexp(x2, -exponent[:, None])


def best_of(met: Iterable[Met]) -> dict[str, np.ndarray]:
    """Each member of the batch where its value is the largest, the first of equals."""
    best, result = np.array(-np.inf), dict[str, np.ndarray]()
    for chosen, value in met:
        up = value > best
        result = {x: np.where(up[:, None], p, result.get(x, p)) for x, p in chosen.items()}
        best = np.where(up, value, best)
    return result


def jumped(
    layers: Sequence[np.ndarray], k: int, points: Points, rng: np.random.Generator,
    begun: Callable[[Points], Jump], deadline: float = math.inf,
) -> dict[str, np.ndarray]:
    """The best points met on the way of jumps, walls or not, until the deadline.

    `begun` gives the jump of a part of the batch. As many points jump as a fixed work allows.
    """
    count = len(points["x1"])
    entries = sum(W.size for W in layers) * 4 * k + 1
    chunk = max(1, _ENTRIES // (4 * k * max([len(W) for W in layers], default=1)))
    moving, result = min(count, _JUMPING // (entries * _JUMPS)), {x: p.copy() for x, p in points.items()}
    for start in range(0, moving, chunk):
        some = slice(start, min(start + chunk, moving))
        here = {x: p[some] for x, p in points.items()}
        jump, best = begun(here), np.full(some.stop - start, -np.inf)
        for _ in range(_JUMPS):
            if time.monotonic() > deadline:
                return result
            here, met = jump(here, rng.uniform(0.3, 1.0, (len(best), 1)))
            for chosen, value in met:
                for x, p in chosen.items():
                    result[x][some] = np.where((value > best)[:, None], p, result[x][some])
                best = np.maximum(best, value)
    return result


def toward(base: np.ndarray, target: np.ndarray, t: float | np.ndarray) -> np.ndarray:
    """The part t of the way from `base` to `target`, of length 1; `base` where that is 0."""
    moved = unit(base + t * (target - base))
    return np.where(moved.any(axis=1, keepdims=True), moved, base)


def simple_codes(k: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """x1, x2 of G(+-e_j) - G(0), and of G(e_j) - G(-e_j)."""
    return [pair for e in np.eye(k) for pair in ((e, 0 * e), (-e, 0 * e), (e, -e))]


def _coded(pair: np.ndarray) -> np.ndarray:
    """(x1, x2) joined (B, 2k) to x1 and x1 - x2 (B, 2, k)."""
    x1, x2 = np.split(pair, 2, axis=1)
    return np.stack([x1, x1 - x2], axis=1)
