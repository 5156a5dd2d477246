"""The proof of an upper bound of the WDC: boxes of r and s, Fact 10, its reductions, its pad."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from wdccheck import _kernels
from wdccheck.conditions.wdc.layer import Layer
from wdccheck.geometry import gates
from wdccheck.geometry.arrangements import Lines, group_by_line
from wdccheck.geometry.boxes import Boxes
from wdccheck.geometry.elimination import pivot_columns
from wdccheck.geometry.expectation import expected_range, expected_triangle, expected_turn, unit
from wdccheck.linalg import rounding
from wdccheck.protocol.forms import Gated, Sandwich
from wdccheck.protocol.proof import Refinement
from wdccheck.stops import DEPTH_EXHAUSTED

__all__ = ["Apart", "Proof"]

_PATTERNS = 2**14  # forms of one batch
_TABLE = 2**22  # entries of the products of all rows with themselves; a proof holds several such tables


@dataclass(frozen=True, eq=False)
class Proof:
    """``||A_{r,s} - alpha Q_{r,s}||_2`` over boxes: one gated sum of two directions and its expectation.

    Parameters
    ----------
    rows : ndarray of shape (n, k)
        In units in which max(|rows|^2, alpha) is about 1.
    alpha : float
    scale : float
        A power of two: deviations are multiplied by it.
    """

    rows: np.ndarray
    alpha: float
    scale: float

    limit = DEPTH_EXHAUSTED

    @staticmethod
    def of(layer: Layer) -> Proof | None:
        """The proof for a layer; None beyond dimension 10, or where a table of its rows takes over 32 MiB."""
        n, k = layer.rows.shape
        if k > _kernels.MOST or n * k * (k + 1) // 2 > _TABLE:
            return None
        return Proof(layer.rows, layer.alpha, math.ldexp(1.0, layer.scale))

    @property
    def width(self) -> int:
        """Numbers of one region in the largest temporary array."""
        return max(1, len(self.lines.rows))

    def boxes(self) -> Boxes | Apart:
        """Pairs of cube faces, one of each mirrored two.

        If the rows do not span R^k (k >= 2), r and s can be moved apart along a z orthogonal to
        all rows without changing a gate, so Q comes as near 0 as one likes, and A_{r,s} <= A_{r,r};
        the other side is alpha/2 (Fact 6). So epsilon = max(alpha/2, sup_r ||A_{r,r}||): one
        direction, and of it only as many coordinates as the rows have rank.
        """
        k = self.rows.shape[1]
        pivots = pivot_columns(self.lines.rows)
        if 0 < len(pivots) < k:
            return Apart(Boxes.cover({"r": len(pivots)}), tuple(pivots), self._orthogonal)
        return Boxes.cover({"r": k, "s": k}, symmetric=("r", "s"))

    def forms(self, regions: Boxes | Apart) -> tuple[Sandwich]:
        """The sandwich of Fact 10."""
        if isinstance(regions, Apart):
            return (self._one_sided(regions),)
        low, high = self._weights(*self._signs(regions))
        return (self._sandwich(regions, self._outer @ low, self._outer @ high),)

    def finer(self, regions: Boxes | Apart) -> Refinement:
        """Realizable patterns of dependent undecided lines, where a flat is crowded."""
        if isinstance(regions, Apart):
            return
        small = np.flatnonzero(np.max(regions.radii(), axis=0) < _kernels.CLOSE)
        regions = regions.take(small)
        r, s = self._signs(regions)
        crowded = np.flatnonzero(gates.crowded(self._unit_outer, r) | gates.crowded(self._unit_outer, s))
        if not len(crowded):
            return
        r, s = r.take(crowded), s.take(crowded)
        low, high = self._weights(r, s)
        for boxes, (free, weights) in gates.patterns(self.lines, r, s, self._known_patterns):
            fixed = high[:, boxes[0]].copy()  # as of all these boxes
            fixed[free] = 0.0
            least = (self._outer @ low[:, boxes[0]])[:, None]
            most = (self._outer @ fixed)[:, None] + self._outer[:, free] @ weights.T
            for part in np.array_split(boxes, -(-len(boxes) * len(weights) // _PATTERNS)):
                many = np.repeat(part, len(weights))
                form = self._sandwich(regions.take(crowded[many]), np.tile(least, (1, len(many))),
                                      np.tile(most, (1, len(part))))
                yield small[crowded[many]], (form,)

    @cached_property
    def compiled(self) -> Gated:
        """The lines with the weights of their two sides."""
        lines = self.lines
        return Gated(lines.rows, lines.positive, lines.negative, ("r", "s"), self.alpha, self.scale,
                     self._pad)

    @cached_property
    def lines(self) -> Lines:
        """The rows grouped by line."""
        return group_by_line(self.rows)

    def _signs(self, boxes: Boxes) -> tuple[gates.LineSigns, gates.LineSigns]:
        rows = self.lines.rows
        r, s = (gates.line_signs(rows, np.abs(rows), self._errors, boxes, x) for x in (0, 1))
        return r, s

    def _weights(self, r: gates.LineSigns, s: gates.LineSigns) -> tuple[np.ndarray, np.ndarray]:
        p, q = self.lines.positive[:, None], self.lines.negative[:, None]
        low = p * (r.positive & s.positive)
        high = p * ~(r.negative | s.negative)
        if q.any():
            low = low + q * (r.negative & s.negative)
            high = np.maximum(high, q * ~(r.positive | s.positive))
        return low, high

    def _sandwich(self, boxes: Boxes, low: np.ndarray, high: np.ndarray) -> Sandwich:
        # at theta, for `mean`, and for the rounding of the rest: see _kernels.plain_proof._expected
        alpha, error = self.alpha, rounding.expectation_error(self.rows.shape[1])
        mean, theta = expected_triangle(*boxes.center)
        delta_r, delta_s = boxes.radii()
        below = np.clip(theta - delta_r - delta_s - error, 0.0, np.pi)
        above = np.clip(theta + delta_r + delta_s + error, 0.0, np.pi)
        least, largest = expected_range(below, above)
        return Sandwich(
            low=low,
            high=high,
            mean=alpha * mean,
            slack=alpha * (expected_turn(delta_r, delta_s) + 2 * error),
            floor=alpha * (least - error),
            ceiling=alpha * (largest + error),
            pad=np.full(len(theta), self._pad),
            scale=self.scale,
        )

    def _one_sided(self, regions: Apart) -> Sandwich:
        rows = self.lines.rows[:, list(regions.pivots)]
        signs = gates.line_signs(rows, np.abs(rows), rounding.gate_error(rows), regions.boxes, 0)
        low, high = self._weights(signs, signs)
        count = high.shape[1]
        half = np.full(count, 0.5 * self.alpha)
        return Sandwich(
            low=np.zeros_like(self._outer @ low), high=self._outer @ high,
            mean=np.zeros((len(self._outer), count)), slack=half, floor=np.zeros(count), ceiling=half,
            pad=np.full(count, self._pad), scale=self.scale,
        )

    @cached_property
    def _orthogonal(self) -> np.ndarray:
        """A unit vector that is orthogonal to all rows, up to rounding."""
        rows = self.lines.rows
        return np.linalg.svd(rows, full_matrices=len(rows) < rows.shape[1])[2][-1]

    @cached_property
    def _outer(self) -> np.ndarray:
        return _kernels.outer_products(self.lines.rows)

    @cached_property
    def _unit_outer(self) -> np.ndarray:
        return _kernels.outer_products(unit(self.lines.rows))

    @cached_property
    def _errors(self) -> np.ndarray:
        return rounding.gate_error(self.lines.rows)

    @cached_property
    def _pad(self) -> float:
        total = float(np.sum(self.rows**2))
        return rounding.gram_error(*self.rows.shape) * total * (1 + rounding.gamma(self.rows.size + 8))

    @cached_property
    def _known_patterns(self) -> dict[bytes, gates.Patterns | None]:
        return {}


@dataclass(frozen=True, eq=False)
class Apart:
    """Regions of r alone, for rows of rank below k: s follows at nearly the opposite direction.

    Attributes
    ----------
    boxes : Boxes
        Boxes of the pivot coordinates of r; the others are 0.
    pivots : tuple of int
    away : ndarray of shape (k,)
        Orthogonal to the rows: r and s are moved apart along it.
    """

    boxes: Boxes
    pivots: tuple[int, ...]
    away: np.ndarray

    _FAR = 1e6  # Q is of the order of its inverse

    def __len__(self) -> int:
        return len(self.boxes)

    def take(self, index: np.ndarray | slice) -> Apart:
        """The regions of `index`."""
        return Apart(self.boxes.take(index), self.pivots, self.away)

    def join(self, parts: Sequence[Any]) -> Apart:
        """All regions of `parts` in one batch."""
        return Apart(self.boxes.join([p.boxes for p in parts]), self.pivots, self.away)

    def split(self) -> Apart:
        """Both halves of every region."""
        return Apart(self.boxes.split(), self.pivots, self.away)

    def splittable(self) -> np.ndarray:
        """As of the boxes."""
        return self.boxes.splittable()

    def centers(self) -> dict[str, np.ndarray]:
        """A pair far apart with the gates of each center."""
        return self._pair(self.boxes.centers()["r"])

    def sample(self, rng: np.random.Generator, n: int) -> dict[str, np.ndarray]:
        """`n` such pairs of each region."""
        return self._pair(self.boxes.sample(rng, n)["r"])

    def contains(self, points: Mapping[str, np.ndarray]) -> np.ndarray:
        """Whether the pivot coordinates of r lie in the box, as a direction."""
        return self.boxes.contains({"r": points["r"][:, list(self.pivots)]})

    def _pair(self, part: np.ndarray) -> dict[str, np.ndarray]:
        r = np.zeros((*part.shape[:-1], len(self.away)))
        r[..., list(self.pivots)] = part
        return {"r": r + self._FAR * self.away, "s": r - self._FAR * self.away}


