"""What is known of the WDC without searching: points and caps that theorems give."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from wdccheck.linalg.rounding import rounded_up

__all__ = ["line_value"]


def line_value(W: np.ndarray, alpha: float) -> float:
    """Epsilon of W (n, 1), rounded up (Fact 8): equal signs leave one side's squares, opposite ones 0."""
    sides = (sum((Fraction(w) ** 2 for w in side.tolist()), Fraction(0)) for side in (W[W > 0], W[W < 0]))
    return rounded_up(max(abs(side - Fraction(alpha) / 2) for side in sides))
