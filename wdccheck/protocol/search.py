"""How a search climbs: the inner maximizer frozen, the best point of a great circle, and where to start."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import wraps
from typing import Any, Protocol

import numpy as np

from wdccheck.geometry.circle_profiles import Best
from wdccheck.geometry.spheres import Block, Points, pieces

__all__ = ["Frozen", "Search", "batch_size", "in_pieces"]

_ENTRIES = 2**20  # numbers of one temporary array


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

    def take(self, part: slice) -> Frozen:
        """The members of `part`."""
        u = self.u[part]
        return Frozen(u, u if self.v is self.u else self.v[part], self.sign[part], self.value[part])


class Search(Protocol):
    """What a search asks: sampling needs `freeze` alone, an ascent all of it.

    A `width`, if it has one, is how many numbers a point takes in the largest temporary array of `freeze`:
    blocks of samples are then cut accordingly, and :func:`in_pieces` cuts the batches of `freeze`.
    """

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


def batch_size(search: Any, entries: int = _ENTRIES) -> int:
    """Points, or regions of a proof, whose temporary arrays hold about `entries` numbers: `width` for each.

    A search or a proof that states no width is asked for all at once.
    """
    width: int | None = getattr(search, "width", None)
    return entries if width is None else max(1, entries // width)


def in_pieces(freeze: Callable[..., Frozen]) -> Callable[..., Frozen]:
    """A method `freeze` that takes a few points at a time: memory does not grow with their number."""
    @wraps(freeze)
    def pieced(
        self: Any, points: Points, near: Frozen | None = None, sign: float | None = None
    ) -> Frozen:
        parts = pieces(len(next(iter(points.values()))), batch_size(self))
        if len(parts) == 1:
            return freeze(self, points, near, sign)
        found = [freeze(self, {x: p[part] for x, p in points.items()},
                        None if near is None else near.take(part), sign) for part in parts]
        u, v, signs, value = (np.concatenate([getattr(one, name) for one in found])
                              for name in ("u", "v", "sign", "value"))
        return Frozen(u, u if found[0].v is found[0].u else v, signs, value)

    return pieced
