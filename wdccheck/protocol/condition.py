"""A condition: the supremum of a deviation over a product of spheres, and what an engine may ask of it.

Engines know this wing and no condition; conditions know this wing and no engine. What a condition has to
have is its statement (:class:`Condition`). What is known besides stands in three aspects: `search` (how
to climb), `theorems` (points and caps in closed form), `proof` (regions, and bounds on each). An engine
gets at an aspect through the functions below, which name a member that is missing.

Points are mappings from a letter to an array of shape (..., dim); all methods that take points are
batched over the leading axes unless they say otherwise.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np

from wdccheck.errors import InvalidInput
from wdccheck.geometry.spheres import Block, Points
from wdccheck.linalg.rounding import round_down
from wdccheck.protocol.proof import BoxProof, GroupProof
from wdccheck.protocol.search import Search
from wdccheck.protocol.theorems import Theorems

__all__ = [
    "Condition", "Dominated", "Measured", "Parted", "Scaled", "checked", "climbs", "dominating", "entries_of",
    "proof_of", "search_of", "theorems_of",
]


@runtime_checkable
class Condition(Protocol):
    """The statement: all that a sampled lower bound needs, with ``search.freeze``."""

    @property
    def spheres(self) -> Mapping[Block, int]:
        """Block of letters to the dimension of the space its sphere lives in."""

    def deviation(self, points: Points) -> np.ndarray:
        """The exact deviation, gates decided by exact sign; points need not be unit."""

    def lower_bound(self, point: Points) -> float:
        """The deviation at one point, rounded down by its error: a proved lower bound."""

    def describe(self) -> dict[str, Any]:
        """``kind, alpha, layer, shape, sha256, options`` and, if small, the weights."""


@runtime_checkable
class Parted(Condition, Protocol):
    """A condition of several inequalities."""

    def parts(self, points: Points) -> Mapping[str, np.ndarray]:
        """The values whose maximum is the deviation, by the name of the inequality."""


@runtime_checkable
class Dominated(Condition, Protocol):
    """A condition that others bound from above."""

    def dominated_by(self) -> Iterable[Condition]:
        """Conditions whose upper bound bounds this one."""


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

    def lower_bound(self, alpha: float, margin: float, times: float = 1.0) -> float:
        """A float below the deviation: both errors, `times` what was measured, and `margin` taken off."""
        # The errors were enlarged by 1 + 1e-9 for the sums here, `margin` is at least 16 u of both terms for
        # those in `value`; the difference is rounded once, by half a step
        value = abs(self.gram - alpha * self.expectation)
        error = times * (self.gram_error + alpha * self.expectation_error) + margin
        return round_down(value - error, 4) if value > error else 0.0


@runtime_checkable
class Scaled(Condition, Protocol):
    """A condition whose expectation has a scale alpha."""

    @property
    def alpha(self) -> float:
        """The scale."""

    @property
    def vacuous(self) -> float:
        """The least constant such that every large alpha has epsilon = vacuous * alpha (Fact 9)."""

    def natural_alpha(self) -> float:
        """The scale that a trace suggests: of a layer N(0, alpha/n), about alpha; not always usable."""

    def with_alpha(self, alpha: float) -> Scaled:
        """The same condition with another scale."""

    def measure(self, point: Points) -> Measured:
        """The terms of the deviation at one point along its inner maximizer."""


def checked(condition: Any) -> Condition:
    """`condition`, if it is one; a bare matrix is the usual mistake.

    Raises
    ------
    InvalidInput
        It is none. One that lacks a single member of the statement is told which.
    """
    if isinstance(condition, Condition):
        return condition
    members = [name for name in ("spheres", "deviation", "lower_bound", "describe")
               if getattr(condition, name, None) is None]
    if len(members) == 4:
        raise InvalidInput("condition", "a condition such as WDC(W)", type(condition).__name__)
    raise _missing(condition, members[0])


def search_of(condition: Condition, *members: str) -> Search:
    """How to climb, with these members of :class:`Search`.

    Raises
    ------
    InvalidInput
        One is missing, by name.
    """
    found = getattr(condition, "search", None)
    for name in members:
        if getattr(found, name, None) is None:
            raise _missing(condition, f"search.{name}")
    return found  # type: ignore[return-value]  # what is used of it has been looked for


def climbs(condition: Condition) -> bool:
    """Whether a search can climb: there is more than what sampling needs."""
    search = getattr(condition, "search", None)
    more = ("circle", "tangents", "free_step", "seeds")
    return any(getattr(search, name, None) is not None for name in more)


def theorems_of(condition: Condition) -> Theorems | None:
    """What is known in closed form; None where nothing is.

    Raises
    ------
    InvalidInput
        There are theorems without `starts` or `caps`.
    """
    found = getattr(condition, "theorems", None)
    for name in ("starts", "caps") if found is not None else ():
        if getattr(found, name, None) is None:
            raise _missing(condition, f"theorems.{name}")
    return found


def proof_of(condition: Condition) -> BoxProof | GroupProof | None:
    """How to prove an upper bound region by region; None where the size is beyond it.

    Raises
    ------
    InvalidInput
        There is a proof that lacks a member of both kinds.
    """
    found = getattr(condition, "proof", None)
    if found is None or isinstance(found, BoxProof | GroupProof):
        return found
    wanted = ("groups", "forms", "limit") if hasattr(found, "groups") else (
        "boxes", "forms", "finer", "compiled", "limit")
    raise _missing(condition, f"proof.{next(name for name in wanted if not hasattr(found, name))}")


def entries_of(condition: Condition) -> int:
    """How many weights one evaluation reads, by the member `entries`; few where there is none."""
    return int(getattr(condition, "entries", 0))


def dominating(condition: Condition) -> tuple[Condition, ...]:
    """Conditions whose upper bound bounds this one; mostly none."""
    return tuple(condition.dominated_by()) if isinstance(condition, Dominated) else ()


def _missing(condition: Any, member: str) -> InvalidInput:
    return InvalidInput(type(condition).__name__, member, "no such member (see wdccheck.protocol)")
