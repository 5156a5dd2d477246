"""How a search climbs: the inner maximizer frozen, the best point of a great circle, and where to start."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from wdccheck.geometry.circle_profiles import Best
from wdccheck.geometry.spheres import Block, Points

__all__ = ["Frozen", "Search"]


@dataclass(frozen=True, eq=False)
class Frozen:
    """The inner maximizer at a batch of points.

    Attributes
    ----------
    u, v : ndarray of shape (B, k)
        Unit vectors; the same array where the deviation is that of a symmetric matrix.
    sign : ndarray of shape (B,)
        +1 where A exceeds its expectation along u, v; -1 where it falls short.
    value : ndarray of shape (B,)
        ``sign * u^T (A - E) v``: at most the deviation, equal to it up to the accuracy of
        the eigenvector.
    """

    u: np.ndarray
    v: np.ndarray
    sign: np.ndarray
    value: np.ndarray


class Search(Protocol):
    """What a search asks: sampling needs `freeze` alone, an ascent all of it."""

    def freeze(self, points: Points, near: Frozen | None = None, sign: float | None = None) -> Frozen:
        """The inner maximizer, of one sign only if `sign` is +-1; `near` warm-starts large layers."""

    def circle(self, points: Points, block: Block, tangent: np.ndarray, frozen: Frozen) -> Best:
        """The best point of the frozen form on the great circle from `block` through `tangent`."""

    def tangents(
        self, points: Points, block: Block, frozen: Frozen, rng: np.random.Generator
    ) -> Sequence[np.ndarray]:
        """Promising tangents of `block`, each (B, dim), unit and orthogonal to the block."""

    def free_step(self, points: Points, frozen: Frozen) -> Points:
        """A move that never lowers the frozen form (Fact 17); the points where none is known."""

    def seeds(self, rng: np.random.Generator, n: int, near: Points | None = None,
              deadline: float = math.inf) -> Points:
        """`n` random points from where the supremum tends to be, letters to (n, dim).

        Or, of the n points `near`, some led over walls to higher ground; all as they are where
        the condition knows no way. What takes seconds ends early at the deadline (of `time.monotonic`).
        """
