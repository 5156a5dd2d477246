"""How a search climbs in the coherence: one row of U, and one phase of it, held at a time."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from wdccheck.conditions.secants import Jump, Met, Secants, jumped, toward
from wdccheck.geometry import spheres
from wdccheck.geometry.circle_profiles import Best
from wdccheck.geometry.expectation import unit
from wdccheck.geometry.spheres import Block, Points
from wdccheck.linalg.isometries import Isometry, moduli
from wdccheck.protocol.search import Frozen, in_pieces
from wdccheck.ranges import differences

__all__ = ["Search"]


@dataclass(frozen=True, eq=False)
class Search:
    """z.u/||u||, z the row of U with the largest |<U_j, u>|, turned so that <U_j, u> is real and positive."""

    secants: Secants
    U: Isometry

    @property
    def width(self) -> int:
        """Numbers of one point in the largest temporary array."""
        return max(len(self.U.parts) * self.U.shape[0], self.secants.width)

    @in_pieces
    def freeze(self, points: Points, near: Frozen | None = None, sign: float | None = None) -> Frozen:
        """Unit u, and z as v. Both signs are one: exchanging the codes turns u around."""
        u = self.secants.vectors(points)
        z, value = self._largest(u)
        return Frozen(u, z, np.ones(len(u)), value)

    def circle(self, points: Points, block: Block, tangent: np.ndarray, frozen: Frozen) -> Best:
        """z.u/||u|| along the circle of the codes (Fact 11)."""
        return self.secants.circle(points, tangent, frozen.v)

    def tangents(
        self, points: Points, block: Block, frozen: Frozen, rng: np.random.Generator
    ) -> Sequence[np.ndarray]:
        """Toward the maximizer over the present cones (Fact 13), and random ones."""
        return self.secants.tangents(points, frozen.v, rng)

    def free_step(self, points: Points, frozen: Frozen) -> Points:
        """Toward the maximizer of z over the present cones, as far as pays in any row."""
        return self.secants.free_step(points, frozen.v, lambda u: self._largest(u)[1])

    def seeds(self, rng: np.random.Generator, n: int, near: Points | None = None,
              deadline: float = math.inf) -> Points:
        """Random pairs, pairs that nearly coincide, single images; from there, jumps to where it is large.

        Half of the first jumps are for a random row, all others for the one with the largest value.
        """
        if near is not None:
            return near
        secants = self.secants

        def begun(part: Points) -> Jump:
            count = len(part["x1"])
            given = rng.random(count) < 0.5
            rows = self._turned(rng.integers(self.U.shape[0], size=count), rng.standard_normal((2, count)))

            def jump(
                here: dict[str, np.ndarray], t: np.ndarray
            ) -> tuple[dict[str, np.ndarray], Iterable[Met]]:
                z = np.where(given[:, None], rows, self._largest(secants.vectors(here))[0])
                given[:] = False
                base, matrix = secants.aimed(here)
                target = unit(differences.ascent_direction(matrix, z))
                moved = spheres.split_block(secants.block, toward(base, target, t))
                return moved, [(moved, self._largest(secants.vectors(moved))[1])]

            return jump

        return jumped(secants.layers, secants.k, secants.seeds(rng, n), rng, begun, deadline)

    def _largest(self, u: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """z (B, n) and z.u (B,) for unit u (B, n)."""
        products = self.U.products(u)
        sizes = moduli(products)
        at, row = np.arange(len(u)), np.argmax(sizes, axis=1)
        return self._turned(row, products[:, at, row]), sizes[at, row]

    def _turned(self, rows: np.ndarray, phase: np.ndarray) -> np.ndarray:
        """Rows of U (B,) as real vectors (B, n), turned by the phase that makes `phase` (c, B) positive."""
        phase = phase[: len(self.U.parts)]
        length = np.where(moduli(phase) > 0, moduli(phase), 1.0)
        return np.einsum("cb,cbn->bn", phase / length, self.U.parts[:, rows])
