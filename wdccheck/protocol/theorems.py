"""Theorems."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

__all__ = ["Cap", "Start"]


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
