"""How a search climbs in the WDC: extreme eigenvectors, circles of r and s, steps along theorems."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from wdccheck.conditions.maximizer import extremes
from wdccheck.conditions.wdc import seeds
from wdccheck.conditions.wdc.layer import Layer
from wdccheck.geometry import circle_steps, tangents
from wdccheck.geometry.circle_profiles import Best
from wdccheck.geometry.expectation import unit
from wdccheck.geometry.spheres import Block, Points
from wdccheck.linalg import rounding
from wdccheck.protocol.search import Frozen, in_pieces

__all__ = ["Search"]

_FEW = 8  # columns up to which climbs end at vertices, and pairs at all angles are worth a look
_ASIDE = 0.3  # of two tangents in three, that are not along edges


@dataclass(frozen=True, eq=False)
class Search:
    """sign u^T (A_{r,s} - alpha Q_{r,s}) u, u frozen while r or s moves."""

    layer: Layer

    @property
    def width(self) -> int:
        """Numbers of one point in the largest temporary array."""
        return int(max(self.layer.rows.shape))

    @in_pieces
    def freeze(self, points: Points, near: Frozen | None = None, sign: float | None = None) -> Frozen:
        """Extreme eigenvector of A - alpha Q; value 0 where a gate is within rounding."""
        layer = self.layer
        r, s = unit(points["r"]), unit(points["s"])
        open_both, sure = rounding.common_gates(layer.rows, layer.errors, (points["r"], points["s"]))
        u, value = extremes(layer.rows, layer.outer, open_both, np.full(len(r), layer.alpha), (r, s),
                            None if near is None else near.u, sign)
        signs = np.where(value < 0, -1.0, 1.0) if sign is None else np.full(len(r), sign)
        return Frozen(u, u, signs, np.ldexp(signs * value * sure, layer.scale))

    def circle(self, points: Points, block: Block, tangent: np.ndarray, frozen: Frozen) -> Best:
        """sign u^T (A - alpha Q) u along the circle of one letter, the other held (Fact 11)."""
        rows, (base, other) = self.layer.rows, _held(points, block)
        along, across, held = (x @ rows.T for x in (base, tangent, other))
        coefficients = frozen.sign[:, None] * (held > 0) * (frozen.u @ rows.T) ** 2
        expected = circle_steps.expected_on_circle(base, tangent, other, frozen.u,
                                                -frozen.sign * self.layer.alpha)
        return circle_steps.best_on_circle(along, across, coefficients, expected).scaled(self.layer.scale)

    def tangents(
        self, points: Points, block: Block, frozen: Frozen, rng: np.random.Generator
    ) -> Sequence[np.ndarray]:
        """Soft-gate gradient, a direction that slides along walls, toward the other letter."""
        rows, (base, other) = self.layer.rows, _held(points, block)
        along, held = base @ rows.T, other @ rows.T
        coefficients = (held > 0) * (frozen.u @ rows.T) ** 2
        soft = tangents.soft_gradient(rows, along, coefficients, rng)
        choice = rng.random((len(base), 1))
        if base.shape[1] <= _FEW:
            mixed = np.where(choice < 0.5, soft, rng.standard_normal(base.shape))
            edges = tangents.along_edges(rows, along, mixed, rng)
            return np.where(choice < _ASIDE, soft, edges), edges, np.where(choice > 1 - _ASIDE, other, edges)
        mixed = np.where(choice < 0.5, soft, np.where(choice < 0.75, other, rng.standard_normal(base.shape)))
        return soft, tangents.off_walls(rows, along, mixed, rng), other

    def free_step(self, points: Points, frozen: Frozen) -> Points:
        """Fact 17: r apart from s up to the first wall (upper sign), or toward it (lower sign)."""
        r, s = unit(points["r"]), unit(points["s"])
        at_r, at_s = r @ self.layer.rows.T, s @ self.layer.rows.T
        upper = frozen.sign[:, None] > 0
        walls = (at_s > 0) & np.where(upper, at_r > 0, at_r <= 0)
        distance = np.divide(np.abs(at_r), at_s, out=np.full_like(at_r, np.inf), where=walls)
        t = np.min(distance, axis=1, initial=np.inf) * (1 - 1e-4)  # clear of rounding
        t = np.where(np.isfinite(t), np.minimum(t, 1e3), 0.0)[:, None]
        return {"r": unit(r - np.where(upper, t, -t) * s), "s": s}

    def seeds(self, rng: np.random.Generator, n: int, near: Points | None = None,
              deadline: float = math.inf) -> Points:
        """Pairs of mixed_pairs, some of them annealed; of few columns most at angles of all sizes."""
        rows, alpha = self.layer.rows, self.layer.alpha
        if near is not None or not 1 < rows.shape[1] <= _FEW:
            return seeds.annealed_pairs(rows, alpha, rng, n, near, deadline)
        spread = seeds.spread_pairs(rows.shape[1], rng, n - n // 8)
        mixed = seeds.annealed_pairs(rows, alpha, rng, n // 8, None, deadline) if n >= 8 else {}
        return {x: np.concatenate([p, mixed.get(x, p[:0])]) for x, p in spread.items()}


def _held(points: Points, block: Block) -> tuple[np.ndarray, np.ndarray]:
    """The letter that moves and the one that is held, of length 1."""
    (letter,) = block
    return unit(points[letter]), unit(points["s" if letter == "r" else "r"])
