"""Regions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np

from wdccheck.geometry.spheres import Points
from wdccheck.protocol.forms import Form

__all__ = ["Bounded", "Refinement", "Regions"]

Refinement = Iterator[tuple[np.ndarray, Sequence[Form]]]


class Regions(Protocol):
    """A batch of regions, opaque to engines, that together cover the spheres."""

    def __len__(self) -> int:
        """Number of regions."""

    def take(self, index: np.ndarray | slice) -> Regions:
        """The regions of `index`, in its order."""

    def join(self, parts: Sequence[Any]) -> Regions:
        """All regions of `parts` in one batch."""

    def split(self) -> Regions:
        """Twice as many regions that cover the same points."""

    def splittable(self) -> np.ndarray:
        """Boolean of shape (B,): False where no further split helps or is exact."""

    def centers(self) -> Points:
        """One point of each region, letters to (B, dim)."""

    def contains(self, points: Points) -> np.ndarray:
        """Boolean of shape (B,) for one point per region."""

    def sample(self, rng: np.random.Generator, n: int) -> Points:
        """`n` points of each region, letters to (B, n, dim)."""


@runtime_checkable
class Bounded(Regions, Protocol):
    """Finitely many regions, each worth keeping with a bound; they are searched best first."""

    @property
    def bound(self) -> np.ndarray:
        """Proved upper bounds (B,) of the deviation; the halves of a region inherit its bound."""

    def bounded(self, bound: np.ndarray) -> Bounded:
        """The same regions with these bounds where they are smaller."""

    def take(self, index: np.ndarray | slice) -> Bounded:
        """The regions of `index`."""

    def join(self, parts: Sequence[Any]) -> Bounded:
        """All regions of `parts` in one batch."""

    def split(self) -> Bounded:
        """Regions that cover the same points, or the same up to a symmetry."""

    @property
    def effort(self) -> np.ndarray:
        """Integers (B,): how often the constraints that the forms of a region carry have been used."""

    def single(self) -> np.ndarray:
        """Boolean (B,): whose forms carry all the constraints they ever will."""

    def matured(self) -> Bounded:
        """The same regions after one effort more."""

    def finer(self) -> Bounded | None:
        """Roots that cover everything in more detail, for a new search when this one is at its end."""
