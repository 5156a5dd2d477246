"""The protocol of a condition: the supremum of a deviation over a product of spheres.

Engines know this file and no condition; conditions know this file and no engine.
Points are mappings from a letter to an array of shape (..., dim); all methods that take
points are batched over the leading axes unless they say otherwise.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np

from wdccheck.errors import InvalidInput
from wdccheck.geometry.profiles import Best
from wdccheck.geometry.spheres import Block, Points
from wdccheck.protocol.forms import Form, Gated
from wdccheck.protocol.proof import Refinement, Regions
from wdccheck.protocol.search import Frozen
from wdccheck.protocol.theorems import Cap, Start

__all__ = [
    "Condition", "Measured", "Scaled", "checked",
]



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
