"""How a search climbs: to the extreme pair of the present cones, and along circles."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from wdccheck.conditions.one_sided.side import Side
from wdccheck.conditions.secants import STEPS, Jump, Met, Secants, best_of, jumped, toward
from wdccheck.geometry import spheres
from wdccheck.geometry.circle_profiles import Best
from wdccheck.geometry.expectation import unit
from wdccheck.geometry.spheres import Block, Points
from wdccheck.linalg.measurements import Measurements
from wdccheck.protocol.search import Frozen, in_pieces
from wdccheck.ranges import differences
from wdccheck.ranges.arcs import sampled

__all__ = ["Search"]

_CLIMB = 12  # steps from a difference that refutes a bound
_RIDGE = 1e-12  # as `differences.normal_matrix` has it


@dataclass(frozen=True, eq=False)
class Search:
    """||A u||^2/||u||^2 or its reciprocal, A scaled."""

    secants: Secants
    A: Measurements
    side: Side

    @property
    def width(self) -> int:
        """Numbers of one point in the largest temporary array."""
        return max(*self.A.shape, self.secants.width)

    @in_pieces
    def freeze(self, points: Points, near: Frozen | None = None, sign: float | None = None) -> Frozen:
        """Unit u: nothing is left to maximize. Both signs are one."""
        u = self.secants.vectors(points)
        return Frozen(u, u, np.ones(len(u)), self._values(u))

    def circle(self, points: Points, block: Block, tangent: np.ndarray, frozen: Frozen) -> Best:
        """Samples of the circle of the codes, more of them near its base."""
        layers = self.secants.layers

        def values(circle: np.ndarray, moved: np.ndarray) -> np.ndarray:
            return self._values(unit(differences.secants(layers, *np.split(moved, 2, axis=1))))

        return sampled(layers, spheres.join(points, block), tangent, values)

    def tangents(
        self, points: Points, block: Block, frozen: Frozen, rng: np.random.Generator
    ) -> Sequence[np.ndarray]:
        """Toward the extreme pair of the present cones, near it, and random ones."""
        _, matrix = self.secants.aimed(points)
        first, *others = self.secants.tangents(points, frozen.u, rng)
        exact = self._extreme(matrix)
        return exact, unit(exact + (others[0] - first)), *others[1:]

    def climbed(self, points: Points) -> Points:
        """The points after a few free steps, as far as these pay."""
        frozen = self.freeze(points)
        for _ in range(_CLIMB):
            moved = self.free_step(points, frozen)
            new = self.freeze(moved)
            up = (new.value > frozen.value)[:, None]
            if not up.any():
                break
            points = {x: np.where(up, moved[x], p) for x, p in points.items()}
            frozen = self.freeze(points)
        return points

    def free_step(self, points: Points, frozen: Frozen) -> Points:
        """Toward the extreme pair of the present cones, or its opposite, as far as pays."""
        base, matrix = self.secants.aimed(points)
        target = self._extreme(matrix)
        return best_of(met for sign in (1, -1) for t in STEPS
                       for met in self._met(toward(base, sign * target, t)))

    def seeds(self, rng: np.random.Generator, n: int, near: Points | None = None,
              deadline: float = math.inf) -> Points:
        """Random pairs, pairs that nearly coincide, single images; from there, jumps to where it is large."""
        if near is not None:
            return near

        def jump(here: dict[str, np.ndarray], t: np.ndarray) -> tuple[dict[str, np.ndarray], Iterable[Met]]:
            base, matrix = self.secants.aimed(here)
            target = self._extreme(matrix)
            target = np.where(np.einsum("bi,bi->b", base, target)[:, None] < 0, -target, target)
            met = self._met(toward(base, target, t))
            return met[0][0], met

        def begun(part: Points) -> Jump:
            return jump

        return jumped(self.secants.layers, self.secants.k, self.secants.seeds(rng, n), rng, begun, deadline)

    def _met(self, moved: np.ndarray) -> list[Met]:
        points = spheres.split_block(self.secants.block, moved)
        return [(points, self._values(self.secants.vectors(points)))]

    def _values(self, u: np.ndarray) -> np.ndarray:
        """Of unit u (B, n); 0 where u is 0."""
        ratio = np.sum(self.A.apply(u) ** 2, axis=1)
        return np.where(u.any(axis=1), self.side.deviation(ratio), 0.0)

    def _extreme(self, matrix: np.ndarray) -> np.ndarray:
        """The unit xi (B, 2k) with the most extreme ||A L xi||/||L xi|| for L = `matrix` (B, n, 2k), nearly.

        What L maps to 0 is made to look like the other extreme.
        """
        gram = differences.normal_matrix(matrix)
        _, exponent = np.frexp(np.abs(matrix).max(axis=(1, 2), keepdims=True))
        seen = self.A.apply(np.ldexp(matrix, -exponent).swapaxes(1, 2))
        form = seen @ seen.swapaxes(1, 2)
        if not self.side.upper:
            size = np.trace(gram, axis1=1, axis2=2)[:, None, None]
            form = form + math.prod(self.A.shape) * _RIDGE * size * np.eye(form.shape[-1])
        inverse = np.linalg.inv(np.linalg.cholesky(gram))
        _, vectors = np.linalg.eigh(inverse @ form @ inverse.swapaxes(1, 2))
        chosen = vectors[:, :, -1 if self.side.upper else 0]
        return unit(np.einsum("bji,bj->bi", inverse, chosen))
