"""What theorems say of a condition: points where the deviation is large, and closed upper bounds."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np

__all__ = ["Cap", "Start", "Theorems"]


@dataclass(frozen=True)
class Cap:
    """A closed upper bound and the theorem it comes from.

    `exact`: it is epsilon itself, rounded up; `empty`: a supremum over nothing.
    `left_out` says what the time did not suffice for, where more of it gives a smaller bound.
    """

    value: float
    reason: str
    exact: bool = False
    empty: bool = False
    left_out: str = ""


@dataclass(frozen=True, eq=False)
class Start:
    """A point that a theorem gives, and the theorem."""

    point: Mapping[str, np.ndarray]
    reason: str


class Theorems(Protocol):
    """What is known without searching."""

    def starts(self) -> Iterable[Start]:
        """Points that theorems give."""

    def caps(self, deadline: float = math.inf) -> Iterable[Cap]:
        """Closed upper bounds; one that takes longer than until the deadline gives way to a cheaper one."""
