"""One side of a restricted isometry: ||A u||^2/||u||^2 of one difference, or its reciprocal."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse

from wdccheck.errors import InvalidInput
from wdccheck.linalg import rounding
from wdccheck.linalg.measurements import Measurements

__all__ = ["FLOOR", "Side", "scaled"]

FLOOR = 2.0**-40
"""Squared ratios below this, relative to the power of 4 above the largest squared entry of A, count as it."""

_SMALLEST = 1e-140


@dataclass(frozen=True)
class Side:
    """A side, and the scale of A: the ratio is 4^exponent times that of A / 2^exponent.

    Attributes
    ----------
    upper : bool
        Whether it is the ratio itself; else its reciprocal.
    exponent : int
        Of the least power of two above all entries of A.
    """

    upper: bool
    exponent: int

    @property
    def options(self) -> dict[str, float]:
        """What a result has to say of it: the floor, for A itself."""
        return {} if self.upper else {"floor": math.ldexp(FLOOR, 2 * self.exponent)}

    def deviation(self, ratio: np.ndarray) -> np.ndarray:
        """The ratio, or its reciprocal, of ratios (B,) of the scaled A."""
        value = ratio if self.upper else 1 / np.maximum(ratio, FLOOR)
        return np.asarray(np.ldexp(value, self._power))

    def scaled(self, t: float) -> float:
        """t for the scaled A; a power of two is exact, or rounded where it leaves the normal floats."""
        return float(np.ldexp(t, -self._power))

    def unscaled(self, t: float) -> float:
        """The inverse of :meth:`scaled`."""
        return float(np.ldexp(t, self._power))

    def upward(self, ratio: float) -> float:
        """An upper bound of epsilon from one of the largest, or a lower one of the least, scaled ratio."""
        value = ratio if self.upper else rounding.round_up(1 / max(ratio, FLOOR))
        return rounding.round_up(self.unscaled(value))

    def downward(self, least: float, most: float) -> float:
        """A lower bound of the deviation from bounds on the scaled ratio, both with their roundings.

        At the floor it is exact: FLOOR is a power of two.
        """
        value = least if self.upper else 1 / max(rounding.round_up(most, 2), FLOOR)
        exact = self.unscaled(value)
        floored = not self.upper and rounding.round_up(most, 2) <= FLOOR
        return exact if floored else max(rounding.round_down(exact, 2), 0.0)

    @property
    def _power(self) -> int:
        return 2 * self.exponent if self.upper else -2 * self.exponent


def scaled(A: Measurements) -> tuple[Measurements, int]:
    """A / 2^e with entries below 1, and e; 0 stays as it is.

    Raises
    ------
    InvalidInput
        A is an operator too large to be tabulated, or all its entries are below 1e-140 but not 0.
    """
    if not (isinstance(A.source, np.ndarray) or sparse.issparse(A.source)):
        raise InvalidInput("A", "a matrix, or an operator of at most 2**22 entries", "a larger operator")
    source: Any = A.source
    largest = float(abs(source).max())
    if 0 < largest < _SMALLEST:
        raise InvalidInput("A", f"0, or an entry of magnitude at least {_SMALLEST:g} (multiply A by a power "
                           "of two)", f"{largest:g}")
    exponent = math.frexp(largest)[1]
    factor = 2.0**-exponent  # within 2^+-466: exact but for what becomes subnormal
    return Measurements(source * factor), exponent
