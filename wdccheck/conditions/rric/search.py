"""How a search climbs in the RRIC: u and v held in turn, steps toward the singular pair of their cones."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from wdccheck.conditions.secant_pairs import PAIRS, SecantPairs
from wdccheck.geometry.circle_profiles import Best
from wdccheck.geometry.spheres import Block, Points
from wdccheck.linalg.measurements import Measurements
from wdccheck.protocol.search import Frozen, in_pieces

__all__ = ["Search"]


@dataclass(frozen=True, eq=False)
class Search:
    """sign <D u, v> / (||u|| ||v||) with D = A^T A - I."""

    pairs: SecantPairs
    A: Measurements

    @property
    def width(self) -> int:
        """Numbers of one point in the largest temporary array."""
        return max(*self.A.shape, self.pairs.width)

    @in_pieces
    def freeze(self, points: Points, near: Frozen | None = None, sign: float | None = None) -> Frozen:
        """Unit u and v, and their form: nothing is left to maximize."""
        u, v = self.pairs.vectors(points)
        return self.pairs.frozen(u, v, self.A.deviation(v), sign)

    def circle(self, points: Points, block: Block, tangent: np.ndarray, frozen: Frozen) -> Best:
        """sign <D u, v>/||u|| along the circle of one pair, the other held (Fact 11)."""
        return self.pairs.circle(points, block, tangent, self._target(block, frozen))

    def tangents(
        self, points: Points, block: Block, frozen: Frozen, rng: np.random.Generator
    ) -> Sequence[np.ndarray]:
        """Toward the maximizer over the present cones (Fact 13), and random ones."""
        return self.pairs.tangents(points, block, self._target(block, frozen), rng)

    def free_step(self, points: Points, frozen: Frozen) -> Points:
        """Toward the singular pair of the present cones, as far as pays."""
        return self.pairs.free_step(points, frozen.sign, self.A.deviation)

    def seeds(self, rng: np.random.Generator, n: int, near: Points | None = None,
              deadline: float = math.inf) -> Points:
        """Random pairs, pairs that nearly coincide, single images; from there, jumps to where it is large."""
        if near is not None:
            return near
        return self.pairs.jumped(self.pairs.seeds(rng, n), rng, lambda points: self.A.deviation,
                                 deadline)

    def _target(self, block: Block, frozen: Frozen) -> np.ndarray:
        """sign D v for the pair of u, sign D u for that of v: D is symmetric."""
        return frozen.sign[:, None] * self.A.deviation(frozen.v if block == PAIRS[0] else frozen.u)
