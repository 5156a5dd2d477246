"""How an upper bound is proved. There are two kinds of proofs by regions.

A :class:`BoxProof` halves boxes for ever: each round asks "is deviation <= t everywhere?", and only depth
ends it. A :class:`GroupProof` has finitely many pieces, held together in groups: every region keeps the
bound that was proved for it, and the largest is split first. It may be a :class:`WholeProof`, too, which is
asked first.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np

from wdccheck.geometry.spheres import Points
from wdccheck.protocol.forms import Form, Gated

__all__ = ["Answer", "Bounded", "BoxProof", "GroupProof", "Map", "Refinement", "Regions", "Thresholds",
           "WholeProof"]

Refinement = Iterator[tuple[np.ndarray, Sequence[Form]]]
"""For some of the regions, forms whose maximum bounds the deviation there.

Each item is an array `owners` and forms of the same batch length: form entry i covers part of region
``owners[i]``, and all entries of one owner in an item together cover it.
"""


Map = Callable[[Callable[[Any], Any], Sequence[Any]], Iterable[Any]]
"""Applies a function to items, in order; a partial's first argument is the same for all."""


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

    def remark(self, lower: float) -> str:
        """What else keeps bounds above this lower one, for the reason of a stop; "" if nothing is known."""

    def finer(self) -> Bounded | None:
        """Roots that cover everything in more detail, for a new search when this one is at its end."""


@runtime_checkable
class BoxProof(Protocol):
    """By regions that can be halved for ever."""

    @property
    def limit(self) -> str:
        """Why regions may stay undecided however small they are, for the reason of a stop."""

    @property
    def compiled(self) -> Gated | None:
        """The same as plain data, for a kernel that proves whole subtrees; None where there is none."""

    def boxes(self) -> Regions:
        """Root regions that cover the spheres up to symmetry."""

    def forms(self, regions: Any) -> Sequence[Form]:
        """Forms whose maximum bounds the deviation on each region."""

    def finer(self, regions: Any) -> Refinement:
        """Other forms of some of the regions, tried where :meth:`forms` prove too little."""


@runtime_checkable
class GroupProof(Protocol):
    """By groups of finitely many pieces."""

    @property
    def limit(self) -> str:
        """Why single pieces may allow no smaller bound, for the reason of a stop."""

    def groups(self, deadline: float = math.inf) -> Bounded | None:
        """Root regions that cover everything; None where the pieces are too many.

        Raises
        ------
        OutOfTime
            They take an enumeration that was not finished at the deadline (of `time.monotonic`).
        """

    def forms(self, regions: Any) -> Refinement:
        """Forms of the regions, as far as any are known."""


@dataclass(frozen=True, eq=False)
class Answer:
    """What came of one threshold.

    Attributes
    ----------
    after : Thresholds
        What to ask next.
    nodes : int
        Matrices looked into.
    bound : float
        The deviation is at most that, proved; inf if the threshold was not.
    points : mapping of letters to ndarray of shape (B, dim)
        Where the deviation may be larger.
    """

    after: Thresholds
    nodes: int
    bound: float = math.inf
    points: Points | None = None


class Thresholds(Protocol):
    """A proof for everything at once: each question is whether the deviation is at most some t."""

    @property
    def least(self) -> float:
        """No smaller t can be proved by this state; one that follows may prove less."""

    @property
    def floor(self) -> float:
        """No state that follows is expected to prove less."""

    @property
    def margin(self) -> float:
        """How far above `least` a first t is likely to be proved soon, in parts of it; inf: unknown."""

    @property
    def keeps(self) -> float:
        """What is kept of that margin after a proof: more where a smaller t takes many times as long."""

    @property
    def groups_first(self) -> int:
        """Nodes that groups get before: where they may end sooner than the first threshold."""

    @property
    def finer(self) -> bool:
        """Whether groups may prove less than this can at best."""

    def ask(self, t: float, map: Map, nodes: float = math.inf, deadline: float = math.inf) -> Answer:
        """Whether t is proved, with about `nodes` matrices at most. OutOfTime at the deadline."""

    def remark(self, lower: float) -> str:
        """As that of :class:`Bounded`."""


@runtime_checkable
class WholeProof(Protocol):
    """A proof that may have thresholds."""

    def whole(self, deadline: float = math.inf) -> Thresholds | None:
        """The state to begin with; None where everything is too much at once. OutOfTime at the deadline."""
