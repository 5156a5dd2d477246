"""What R2WDC and RRIC share: sup |<D u, v>|/(||u|| ||v||) over range differences u, v.

The letters x1, x2 of u and x3, x4 of v; each pair is one block, scaled jointly.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from wdccheck import arrays, ranges, rounding, spheres
from wdccheck.arcs import Arcs, costly, in_chunks, profile, quotients, sampled
from wdccheck.conditions.condition import Frozen, Points
from wdccheck.geometry import unit
from wdccheck.spheres import Block, Profile

__all__ = ["PAIRS", "SecantPairs", "Sided", "codes", "simple_pairs"]

PAIRS: tuple[Block, Block] = (("x1", "x2"), ("x3", "x4"))
_ROUNDS = 3
_INSIDE = 1 - 1e-4
_STEPS = (1e-3, 3e-3, 1e-2, 3e-2, 0.1, 0.2, 0.4, 0.7, 1.0)

Apply = Callable[[np.ndarray], np.ndarray]
"""v (B, n) to D v (B, n), one D for each of the batch."""


@dataclass(frozen=True)
class Sided:
    """A range difference with the error of each entry, and its length from below and above."""

    value: np.ndarray
    error: np.ndarray

    @property
    def longest(self) -> float:
        """At least the exact length."""
        n = len(self.value)
        total = float(np.linalg.norm(self.value)) + float(np.linalg.norm(self.error))
        return total * (1 + rounding.gamma(2 * n + 16))


def codes(points: Points, letters: Sequence[str], k: int) -> tuple[dict[str, np.ndarray], tuple[int, ...]]:
    """The letters broadcast against each other, flat (B, k), and the shape of the batch."""
    found = np.broadcast_arrays(*(arrays.vectors(x, points[x], k) for x in letters))
    return {x: p.reshape(-1, k) for x, p in zip(letters, found, strict=True)}, found[0].shape[:-1]


@dataclass(frozen=True, eq=False)
class SecantPairs:
    """The two pairs over one range.

    Parameters
    ----------
    layers : tuple of ndarray
        Those of :func:`ranges.rescaled`; none for R^k.
    k : int
        The latent dimension.
    """

    layers: tuple[np.ndarray, ...]
    k: int

    def vectors(self, points: Points) -> tuple[np.ndarray, np.ndarray]:
        """Unit u and v (B, n); 0 where the two codes of a pair have one image."""
        u, v = (unit(ranges.secants(self.layers, *self._normal(points, block))) for block in PAIRS)
        return u, v

    def sharp_vectors(self, points: Points) -> tuple[np.ndarray, np.ndarray]:
        """The same to 12 digits, however near the two codes of a pair are."""
        u, v = (unit(ranges.sharpened(self.layers, *self._normal(points, block))[0]) for block in PAIRS)
        return u, v

    def enclosed(self, points: Points) -> tuple[Sided, Sided]:
        """u and v of one point, with errors."""
        u, v = (Sided(*(x[0] for x in ranges.sharpened(self.layers, *self._normal(points, block))))
                for block in PAIRS)
        return u, v

    def frozen(self, u: np.ndarray, v: np.ndarray, image: np.ndarray, sign: float | None) -> Frozen:
        """From unit u, v and D v."""
        value = np.einsum("bn,bn->b", u, image)
        signs = np.where(value < 0, -1.0, 1.0) if sign is None else np.full(len(u), sign)
        return Frozen(u, v, signs, signs * value)

    def circle(self, points: Points, block: Block, tangent: np.ndarray, z: np.ndarray) -> Profile:
        """z.u/||u|| along the circle of one pair, z = D v (B, n)."""
        base = spheres.join(points, block)
        if costly(self.layers):
            def values(moved: np.ndarray) -> np.ndarray:
                u = unit(ranges.secants(self.layers, *np.split(moved, 2, axis=1)))
                return np.einsum("bn,bn->b", u, np.repeat(z, len(u) // len(z), axis=0))

            return sampled(base, tangent, values, self.layers)

        def finish(arcs: Arcs, chunk: slice) -> Profile:
            values, inner = quotients(arcs, z[chunk])
            return profile(arcs, len(z[chunk]), values, inner)

        return in_chunks(self.layers, _coded(base), _coded(tangent), finish)

    def tangents(
        self, points: Points, block: Block, z: np.ndarray, rng: np.random.Generator
    ) -> tuple[np.ndarray, ...]:
        """Toward the maximizer over the present cones; near it; random, of one code, of the difference."""
        x1, x2 = np.split(spheres.join(points, block), 2, axis=1)
        exact = unit(ranges.ascent_direction(ranges.secant_matrix(self.layers, x1, x2), z))
        noise = rng.standard_normal((len(x1), 2, self.k))
        kind = rng.integers(4, size=(len(x1), 1))
        noise[:, 0] *= kind != 1
        noise[:, 1] *= kind != 2
        noise[:, 1] = np.where(kind == 3, -noise[:, 0], noise[:, 1])
        random = noise.reshape(len(x1), -1)
        near = exact + 10.0 ** rng.uniform(-2, 0, (len(x1), 1)) * unit(random)
        return exact, near, random, random

    def free_step(self, points: Points, frozen: Frozen, apply: Apply) -> dict[str, np.ndarray]:
        """Both pairs toward the singular pair of U_ab^T D U_cd of their cones, up to the first wall."""
        bases = [spheres.join(points, block) for block in PAIRS]
        matrices = [ranges.secant_matrix(self.layers, *np.split(base, 2, axis=1)) for base in bases]
        u, targets = frozen.sign[:, None] * frozen.u, [bases[0], bases[1]]
        for _ in range(_ROUNDS):
            for i in (1, 0):
                targets[i] = unit(ranges.ascent_direction(matrices[i], apply(u)))
                u = unit(np.einsum("bnk,bk->bn", matrices[i], targets[i]))
            u = frozen.sign[:, None] * u
        walls = []
        for base, target in zip(bases, targets, strict=True):
            starts, ends = np.split(base, 2, axis=1), np.split(target, 2, axis=1)
            walls.append(np.min([ranges.until_wall(self.layers, x, y)
                                 for x, y in zip(starts, ends, strict=True)], axis=0)[:, None])
        best, result = np.full(len(u), -np.inf), {}
        for t in (None, *_STEPS):
            moved = {}
            for block, base, target, wall in zip(PAIRS, bases, targets, walls, strict=True):
                step = _INSIDE * wall if t is None else t
                new = unit(base + step * (target - base))
                moved |= spheres.split_block(block, np.where(new.any(axis=1, keepdims=True), new, base))
            left, right = self.vectors(moved)
            first, second = apply(left), apply(right)
            for pairs, x, y in ((PAIRS, left, second), (PAIRS[:1] * 2, left, first), (PAIRS[1:] * 2, right, second)):
                value = frozen.sign * np.einsum("bn,bn->b", x, y)
                chosen = {to: moved[of] for here, there in zip(PAIRS, pairs, strict=True)
                          for to, of in zip(here, there, strict=True)}
                result = {x: np.where((value > best)[:, None], p, result.get(x, p)) for x, p in chosen.items()}
                best = np.maximum(best, value)
        return result

    def seeds(self, rng: np.random.Generator, n: int) -> dict[str, np.ndarray]:
        """Random pairs, pairs that nearly coincide, one code 0; half of them with u = v."""
        points = spheres.sample(self.spheres, rng, n)
        kind = np.arange(n)[:, None] % 4
        near = 10.0 ** rng.uniform(-6, -1, (n, 1))
        for first, second in PAIRS:
            moved = points[first] + near * points[second]
            points[second] = np.where(kind == 1, moved, np.where(kind == 2, 0.0, points[second]))
        same = rng.random((n, 1)) < 0.5
        for first, second in zip(*PAIRS, strict=True):
            points[second] = np.where(same, points[first], points[second])
        return points

    @property
    def spheres(self) -> dict[Block, int]:
        """Two spheres in R^{2k}."""
        return dict.fromkeys(PAIRS, 2 * self.k)

    def _normal(self, points: Points, block: Block) -> tuple[np.ndarray, np.ndarray]:
        """A pair scaled jointly by a power of two, exactly unless it holds numbers far apart."""
        x1, x2 = (points[letter].reshape(-1, self.k) for letter in block)
        _, exponent = np.frexp(np.maximum(np.abs(x1).max(axis=1), np.abs(x2).max(axis=1)))
        return np.ldexp(x1, -exponent[:, None]), np.ldexp(x2, -exponent[:, None])


def simple_pairs(k: int) -> list[Mapping[str, np.ndarray]]:
    """u = v = G(+-e_j) - G(0), and G(e_j) - G(-e_j)."""
    result: list[Mapping[str, np.ndarray]] = []
    for e in np.eye(k):
        for x1, x2 in ((e, 0 * e), (-e, 0 * e), (e, -e)):
            result.append({"x1": x1, "x2": x2, "x3": x1, "x4": x2})
    return result


def _coded(pair: np.ndarray) -> np.ndarray:
    """(x1, x2) joined (B, 2k) to x1 and x1 - x2 (B, 2, k)."""
    x1, x2 = np.split(pair, 2, axis=1)
    return np.stack([x1, x1 - x2], axis=1)
