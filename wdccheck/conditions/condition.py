"""The protocol of a condition: the supremum of a deviation over a product of spheres.

Engines know this file and no condition; conditions know this file and no engine.
Points are mappings from a letter to an array of shape (..., dim); all methods that take
points are batched over the leading axes unless they say otherwise.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np

from wdccheck.errors import InvalidInput
from wdccheck.forms import Form, Gated
from wdccheck.spheres import Best, Block

__all__ = [
    "Bounded", "Cap", "Condition", "Frozen", "Measured", "Points", "Refinement", "Regions",
    "Scaled", "Start", "checked",
]

Points = Mapping[str, np.ndarray]
Refinement = Iterator[tuple[np.ndarray, Sequence[Form]]]


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


@dataclass(frozen=True)
class Measured:
    """The two terms of the deviation at one point, along one unit vector, with their errors.

    The deviation with scale alpha is at least ``|gram - alpha expectation|``, less
    ``gram_error + alpha expectation_error``, whatever alpha is.
    """

    gram: float
    gram_error: float
    expectation: float
    expectation_error: float


@dataclass(frozen=True)
class Cap:
    """A closed upper bound and the theorem it comes from; `empty`: a supremum over nothing."""

    value: float
    reason: str
    exact: bool = False
    empty: bool = False


@dataclass(frozen=True, eq=False)
class Start:
    """A point that a theorem gives, and the theorem."""

    point: Mapping[str, np.ndarray]
    reason: str


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


@runtime_checkable
class Condition(Protocol):
    """What every condition offers."""

    @property
    def inequalities(self) -> tuple[str, ...]:
        """Names of the parts; one where the condition is one inequality."""

    @property
    def spheres(self) -> Mapping[Block, int]:
        """Block of letters to the dimension of the space its sphere lives in."""

    def deviation(self, points: Points) -> np.ndarray:
        """The exact deviation, gates decided by exact sign; points need not be unit."""

    def lower_bound(self, point: Points) -> float:
        """The deviation at one point, rounded down by its error: a proved lower bound."""

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

    def starts(self) -> Iterable[Start]:
        """Points that theorems give."""

    def caps(self) -> Iterable[Cap]:
        """Closed upper bounds."""

    def dominated_by(self) -> Iterable[Condition]:
        """Conditions whose upper bound bounds this one."""

    def parts(self, points: Points) -> Mapping[str, np.ndarray]:
        """The values whose maximum is the deviation, by name; one entry where there is one."""

    def regions(self, deadline: float = math.inf) -> Regions | None:
        """Root regions that cover the spheres up to symmetry; None where there are none.

        Raises
        ------
        OutOfTime
            They take an enumeration that was not finished at the deadline (of `time.monotonic`).
        """

    def forms(self, regions: Regions) -> Sequence[Form]:
        """Forms whose maximum bounds the deviation on each region."""

    def refine(self, regions: Regions) -> Refinement:
        """For some of the regions, other forms whose maximum bounds the deviation there too.

        Each item is an array `owners` and forms of the same batch length: form entry i covers
        part of region ``owners[i]``, and all entries of one owner in an item together cover it.
        """

    def gated(self) -> Sequence[Gated]:
        """The gated sums as plain data."""

    def describe(self) -> dict[str, Any]:
        """``kind, alpha, layer, shape, sha256, options`` and, if small, the weights."""


@runtime_checkable
class Scaled(Condition, Protocol):
    """A condition whose expectation has a scale alpha."""

    @property
    def alpha(self) -> float:
        """The scale."""

    @property
    def vacuous(self) -> float:
        """The least constant such that every large alpha has epsilon = vacuous * alpha (Fact 9)."""

    def with_alpha(self, alpha: float) -> Scaled:
        """The same condition with another scale."""

    def measure(self, point: Points) -> Measured:
        """The terms of the deviation at one point along its inner maximizer."""


def checked(condition: Any) -> Condition:
    """`condition`, if it is one; a bare matrix is the usual mistake."""
    if not isinstance(condition, Condition):
        raise InvalidInput("condition", "a condition such as WDC(W)", type(condition).__name__)
    return condition
