"""What R2WDC and RRIC share: sup |<D u, v>|/(||u|| ||v||) over range differences u, v.

The letters x1, x2 of u and x3, x4 of v; each pair is one block, scaled jointly.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from wdccheck.conditions.secants import (
    STEPS,
    Jump,
    Met,
    Secants,
    Sided,
    best_of,
    jumped,
    simple_codes,
    toward,
)
from wdccheck.geometry import spheres
from wdccheck.geometry.circle_profiles import Best
from wdccheck.geometry.expectation import unit
from wdccheck.geometry.spheres import Block, Points
from wdccheck.protocol.search import Frozen
from wdccheck.ranges import differences

__all__ = ["PAIRS", "Apply", "SecantPairs", "simple_pairs"]

PAIRS: tuple[Block, Block] = (("x1", "x2"), ("x3", "x4"))
_ROUNDS = 3

Apply = Callable[[np.ndarray], np.ndarray]
"""v (B, n) to D v (B, n), one D for each of the batch."""


@dataclass(frozen=True, eq=False)
class SecantPairs:
    """The two pairs over one range; parameters as of :class:`~wdccheck.conditions.secants.Secants`."""

    layers: tuple[np.ndarray, ...]
    k: int

    @property
    def sides(self) -> tuple[Secants, Secants]:
        """u and v."""
        u, v = (Secants(self.layers, self.k, block) for block in PAIRS)
        return u, v

    @property
    def spheres(self) -> dict[Block, int]:
        """Two spheres in R^{2k}."""
        return dict.fromkeys(PAIRS, 2 * self.k)

    @property
    def width(self) -> int:
        """The most coordinates of a value on the way through the range."""
        return self.sides[0].width

    def vectors(self, points: Points) -> tuple[np.ndarray, np.ndarray]:
        """Unit u and v (B, n); 0 where the two codes of a pair have one image."""
        u, v = (side.vectors(points) for side in self.sides)
        return u, v

    def sharp_vectors(self, points: Points) -> tuple[np.ndarray, np.ndarray]:
        """The same to 12 digits, however near the two codes of a pair are."""
        u, v = (side.sharp_vectors(points) for side in self.sides)
        return u, v

    def enclosed(self, points: Points) -> tuple[Sided, Sided]:
        """u and v of one point, with errors."""
        u, v = (side.enclosed(points) for side in self.sides)
        return u, v

    def frozen(self, u: np.ndarray, v: np.ndarray, image: np.ndarray, sign: float | None) -> Frozen:
        """From unit u, v and D v."""
        value = np.einsum("bn,bn->b", u, image)
        signs = np.where(value < 0, -1.0, 1.0) if sign is None else np.full(len(u), sign)
        return Frozen(u, v, signs, signs * value)

    def circle(self, points: Points, block: Block, tangent: np.ndarray, z: np.ndarray) -> Best:
        """z.u/||u|| along the circle of one pair, z = D v (B, n): samples, and a few whole circles."""
        return self._side(block).circle(points, tangent, z)

    def whole_circle(self, base: np.ndarray, tangent: np.ndarray, z: np.ndarray) -> Best:
        """The same, with the exact best point of every arc (Fact 11)."""
        return self.sides[0].whole_circle(base, tangent, z)

    def tangents(
        self, points: Points, block: Block, z: np.ndarray, rng: np.random.Generator
    ) -> tuple[np.ndarray, ...]:
        """Those of one pair."""
        return self._side(block).tangents(points, z, rng)

    def free_step(self, points: Points, sign: np.ndarray, apply: Apply) -> dict[str, np.ndarray]:
        """Both pairs toward the singular pair of their cones, as far as pays; or one pair for both."""
        bases, targets = self._singular(points, sign, apply)

        def met() -> Iterator[Met]:
            for t in STEPS:
                moved = {x: p for block, base, target in zip(PAIRS, bases, targets, strict=True)
                         for x, p in spheres.split_block(block, toward(base, target, t)).items()}
                yield from self._exchanged(moved, sign, apply)

        return best_of(met())

    def jumped(
        self, points: Points, rng: np.random.Generator, applies: Callable[[Points], Apply],
        deadline: float = math.inf,
    ) -> dict[str, np.ndarray]:
        """The best points on the way of jumps toward the singular pairs of the cones met, walls or not.

        `applies` gives the D of a part of the batch.
        """
        def begun(part: Points) -> Jump:
            apply = applies(part)

            def jump(
                here: dict[str, np.ndarray], t: np.ndarray
            ) -> tuple[dict[str, np.ndarray], Iterable[Met]]:
                u, v = self.vectors(here)
                sign = np.where(np.einsum("bn,bn->b", u, apply(v)) < 0, -1.0, 1.0)
                for block, base, target in zip(PAIRS, *self._singular(here, sign, apply), strict=True):
                    here = here | spheres.split_block(block, toward(base, target, t))
                return here, self._exchanged({x: here[x] for b in PAIRS for x in b}, sign, apply)

            return jump

        return jumped(self.layers, self.k, points, rng, begun, deadline)

    def seeds(self, rng: np.random.Generator, n: int) -> dict[str, np.ndarray]:
        """Random pairs, pairs that nearly coincide, one code 0; half of them with u = v."""
        points = spheres.sample(self.spheres, rng, n)
        near = 10.0 ** rng.uniform(-6, -1, (n, 1))
        for side in self.sides:
            side.spread(points, near)
        same = rng.random((n, 1)) < 0.5
        for first, second in zip(*PAIRS, strict=True):
            points[second] = np.where(same, points[first], points[second])
        return points

    def _side(self, block: Block) -> Secants:
        return Secants(self.layers, self.k, block)

    def _singular(
        self, points: Points, sign: np.ndarray, apply: Apply
    ) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """Both pairs, and the singular pair of U_ab^T D U_cd of their cones, roughly."""
        bases, matrices = (list(x) for x in zip(*(side.aimed(points) for side in self.sides), strict=True))
        factors = [differences.normal_matrix(matrix) for matrix in matrices]
        targets = list(bases)
        u = sign[:, None] * self.vectors(points)[0]
        for _ in range(_ROUNDS):
            for i in (1, 0):
                targets[i] = unit(differences.ascent_direction(matrices[i], apply(u), factors[i]))
                u = unit(np.einsum("bnk,bk->bn", matrices[i], targets[i]))
            u = sign[:, None] * u
        return bases, targets

    def _exchanged(self, points: Points, sign: np.ndarray, apply: Apply) -> Iterator[Met]:
        """The points, the first pair twice, the second pair twice, and the value of each."""
        u, v = self.vectors(points)
        first, second = apply(u), apply(v)
        for pairs, x, y in ((PAIRS, u, second), (PAIRS[:1] * 2, u, first), (PAIRS[1:] * 2, v, second)):
            chosen = {to: points[of] for here, there in zip(PAIRS, pairs, strict=True)
                      for to, of in zip(here, there, strict=True)}
            yield chosen, sign * np.einsum("bn,bn->b", x, y)


def simple_pairs(k: int) -> list[Mapping[str, np.ndarray]]:
    """u = v = G(+-e_j) - G(0), and G(e_j) - G(-e_j)."""
    return [{"x1": x1, "x2": x2, "x3": x1, "x4": x2} for x1, x2 in simple_codes(k)]
