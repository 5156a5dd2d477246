"""What is known of the WDC without searching: points and caps that theorems give."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from wdccheck.conditions.gated_pairs import theorem_pairs
from wdccheck.conditions.wdc.layer import Layer
from wdccheck.linalg.matrices import Rows
from wdccheck.linalg.norms import squared_norm
from wdccheck.linalg.rounding import rounded_up
from wdccheck.protocol.theorems import Cap, Start

__all__ = ["Theorems", "line_value"]


@dataclass(frozen=True, eq=False)
class Theorems:
    """Facts 5 to 9; W and alpha as the caller has them, for what is exact in these units."""

    layer: Layer
    W: Rows
    alpha: float

    def starts(self) -> Iterator[Start]:
        """Facts 5, 6 and 7, and for k = 1 all four pairs (Fact 8)."""
        yield from theorem_pairs(self.layer.rows)

    def caps(self, deadline: float = math.inf) -> Iterator[Cap]:
        """Fact 9: epsilon <= max(||W||^2, alpha/2), and for k = 1 epsilon itself (Fact 8)."""
        if self.W.shape[1] == 1:
            yield Cap(line_value(self.W, self.alpha), "Fact 8: k = 1, all four pairs", exact=True)
        else:
            square, how, late = squared_norm(self.layer.rows, deadline)
            yield Cap(max(math.ldexp(square, self.layer.scale), self.alpha / 2),
                      f"Fact 9: max(||W||^2, alpha/2){how}", left_out=late)


def line_value(W: np.ndarray, alpha: float) -> float:
    """Epsilon of W (n, 1), rounded up (Fact 8): equal signs leave one side's squares, opposite ones 0."""
    sides = (sum((Fraction(w) ** 2 for w in side.tolist()), Fraction(0)) for side in (W[W > 0], W[W < 0]))
    return rounded_up(max(abs(side - Fraction(alpha) / 2) for side in sides))
