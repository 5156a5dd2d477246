"""What R2WDC and RRIC share: sup |<D u, v>|/(||u|| ||v||) over range differences u, v.

The letters x1, x2 of u and x3, x4 of v; each pair is one block, scaled jointly.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from wdccheck.geometry import profiles, spheres
from wdccheck.geometry.expectation import unit
from wdccheck.geometry.profiles import Best, Profile
from wdccheck.geometry.spheres import Block, Points
from wdccheck.linalg import inputs, rounding
from wdccheck.protocol.search import Frozen
from wdccheck.ranges import differences
from wdccheck.ranges.arcs import Arcs, few, in_chunks, profile, quotients, sampled

__all__ = ["PAIRS", "SecantPairs", "Sided", "codes", "simple_pairs"]

PAIRS: tuple[Block, Block] = (("x1", "x2"), ("x3", "x4"))
_ROUNDS = 3
_STEPS = (1e-4, 1e-3, 3e-3, 1e-2, 3e-2, 0.1, 0.2, 0.4, 0.7, 1.0)  # toward the target
_JUMPS = 6
_JUMPING = 2**31  # products of the jumps of all seeds together
_ENTRIES = 2**21  # of one temporary array

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
    found = np.broadcast_arrays(*(inputs.vectors(x, points[x], k) for x in letters))
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
        u, v = (unit(differences.secants(self.layers, *self._normal(points, block))) for block in PAIRS)
        return u, v

    def sharp_vectors(self, points: Points) -> tuple[np.ndarray, np.ndarray]:
        """The same to 12 digits, however near the two codes of a pair are."""
        u, v = (unit(differences.sharpened(self.layers, *self._normal(points, block))[0]) for block in PAIRS)
        return u, v

    def enclosed(self, points: Points) -> tuple[Sided, Sided]:
        """u and v of one point, with errors."""
        u, v = (Sided(*(x[0] for x in differences.sharpened(self.layers, *self._normal(points, block))))
                for block in PAIRS)
        return u, v

    def frozen(self, u: np.ndarray, v: np.ndarray, image: np.ndarray, sign: float | None) -> Frozen:
        """From unit u, v and D v."""
        value = np.einsum("bn,bn->b", u, image)
        signs = np.where(value < 0, -1.0, 1.0) if sign is None else np.full(len(u), sign)
        return Frozen(u, v, signs, signs * value)

    def circle(self, points: Points, block: Block, tangent: np.ndarray, z: np.ndarray) -> Best:
        """z.u/||u|| along the circle of one pair, z = D v (B, n): samples, and a few whole circles."""
        base = spheres.join(points, block)
        first = few(self.layers, len(base), 2)

        def values(circle: np.ndarray, moved: np.ndarray) -> np.ndarray:
            u = unit(differences.secants(self.layers, *np.split(moved, 2, axis=1)))
            return np.einsum("bn,bn->b", u, z[first:][circle])

        parts = [self.whole_circle(base[:first], tangent[:first], z[:first])] if first else []
        if first < len(base):
            parts.append(sampled(self.layers, base[first:], tangent[first:], values))
        return profiles.gathered(parts, np.split(np.arange(len(base)), [first])[-len(parts):])

    def whole_circle(self, base: np.ndarray, tangent: np.ndarray, z: np.ndarray) -> Best:
        """The same, with the exact best point of every arc (Fact 11)."""
        def finish(arcs: Arcs, chunk: slice) -> Profile:
            values, inner = quotients(arcs, z[chunk])
            return profile(arcs, len(z[chunk]), values, inner)

        return in_chunks(self.layers, _coded(base), _coded(tangent), finish)

    def tangents(
        self, points: Points, block: Block, z: np.ndarray, rng: np.random.Generator
    ) -> tuple[np.ndarray, ...]:
        """Toward the maximizer over the present cones; near it; random, of one code, of the difference."""
        x1, x2 = np.split(spheres.join(points, block), 2, axis=1)
        exact = unit(differences.ascent_direction(differences.secant_matrix(self.layers, x1, x2), z))
        noise = rng.standard_normal((len(x1), 2, self.k))
        kind = rng.integers(4, size=(len(x1), 1))
        noise[:, 0] *= kind != 1
        noise[:, 1] *= kind != 2
        noise[:, 1] = np.where(kind == 3, -noise[:, 0], noise[:, 1])
        random = noise.reshape(len(x1), -1)
        near = exact + 10.0 ** rng.uniform(-2, 0, (len(x1), 1)) * unit(random)
        return exact, near, random, random

    def free_step(self, points: Points, sign: np.ndarray, apply: Apply) -> dict[str, np.ndarray]:
        """Both pairs toward the singular pair of their cones, as far as pays; or one pair for both."""
        bases, targets = self._singular(points, sign, apply)
        best, result = np.full(len(sign), -np.inf), dict[str, np.ndarray]()
        for t in _STEPS:
            moved = {x: p for block, base, target in zip(PAIRS, bases, targets, strict=True)
                     for x, p in spheres.split_block(block, _toward(base, target, t)).items()}
            for chosen, value in self._exchanged(moved, sign, apply):
                up = value > best
                result = {x: np.where(up[:, None], p, result.get(x, p)) for x, p in chosen.items()}
                best = np.where(up, value, best)
        return result

    def jumped(
        self, points: Points, rng: np.random.Generator, applies: Callable[[Points], Apply]
    ) -> dict[str, np.ndarray]:
        """The best points on the way of jumps toward the singular pairs of the cones met, walls or not.

        `applies` gives the D of a part of the batch. As many points jump as a fixed work allows.
        """
        count = len(points["x1"])
        entries = sum(W.size for W in self.layers) * 4 * self.k + 1
        chunk = max(1, _ENTRIES // (4 * self.k * max([len(W) for W in self.layers], default=1)))
        moving, result = min(count, _JUMPING // (entries * _JUMPS)), {x: p.copy() for x, p in points.items()}
        for start in range(0, moving, chunk):
            some = slice(start, min(start + chunk, moving))
            here = {x: p[some] for x, p in points.items()}
            apply, best = applies(here), np.full(some.stop - start, -np.inf)
            for _ in range(_JUMPS):
                u, v = self.vectors(here)
                sign = np.where(np.einsum("bn,bn->b", u, apply(v)) < 0, -1.0, 1.0)
                t, bases_targets = rng.uniform(0.3, 1.0, (len(sign), 1)), self._singular(here, sign, apply)
                for block, base, target in zip(PAIRS, *bases_targets, strict=True):
                    here |= spheres.split_block(block, _toward(base, target, t))
                for chosen, value in self._exchanged({x: here[x] for b in PAIRS for x in b}, sign, apply):
                    for x, p in chosen.items():
                        result[x][some] = np.where((value > best)[:, None], p, result[x][some])
                    best = np.maximum(best, value)
        return result

    def _singular(
        self, points: Points, sign: np.ndarray, apply: Apply
    ) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """Both pairs, and the singular pair of U_ab^T D U_cd of their cones, roughly."""
        bases = [spheres.join(points, block) for block in PAIRS]
        matrices = [differences.secant_matrix(self.layers, *np.split(base, 2, axis=1)) for base in bases]
        factors = [differences.normal_matrix(matrix) for matrix in matrices]
        targets = list(bases)
        u = sign[:, None] * self.vectors(points)[0]
        for _ in range(_ROUNDS):
            for i in (1, 0):
                targets[i] = unit(differences.ascent_direction(matrices[i], apply(u), factors[i]))
                u = unit(np.einsum("bnk,bk->bn", matrices[i], targets[i]))
            u = sign[:, None] * u
        return bases, targets

    def _exchanged(
        self, points: Points, sign: np.ndarray, apply: Apply
    ) -> Iterator[tuple[dict[str, np.ndarray], np.ndarray]]:
        """The points, the first pair twice, the second pair twice, and the value of each."""
        u, v = self.vectors(points)
        first, second = apply(u), apply(v)
        for pairs, x, y in ((PAIRS, u, second), (PAIRS[:1] * 2, u, first), (PAIRS[1:] * 2, v, second)):
            chosen = {to: points[of] for here, there in zip(PAIRS, pairs, strict=True)
                      for to, of in zip(here, there, strict=True)}
            yield chosen, sign * np.einsum("bn,bn->b", x, y)

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


def _toward(base: np.ndarray, target: np.ndarray, t: float | np.ndarray) -> np.ndarray:
    moved = unit(base + t * (target - base))
    return np.where(moved.any(axis=1, keepdims=True), moved, base)


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
