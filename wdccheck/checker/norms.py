"""A - alpha Q at one point: its norm, below by an exact quotient, above by a float and its error."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from wdccheck.checker.exact import dot, integers
from wdccheck.checker.intervals import Interval

__all__ = ["Form", "Line"]

_NEARLY = 1 - 1e-6  # of the largest eigenvalue: from there on both ends of the spectrum are evaluated

Line = tuple[Interval, Interval]
"""g and e with ``epsilon >= |g - alpha e|`` at every alpha."""


@dataclass(frozen=True, eq=False)
class Form:
    """``A - alpha Q`` at a witness, in floats and exactly.

    Attributes
    ----------
    difference : ndarray of shape (k, k)
        In floats, over ``2**exponent``.
    size : float
        The sum of the absolute values of all that A sums along its diagonal, plus alpha, in these units:
        what does not cancel.
    rows : int
        How many rows A sums.
    exponent : int
    alpha : float
    gram, expected : callable
        Integers u (k,) to what holds ``u^T A u`` and ``u^T Q u``.
    """

    difference: np.ndarray
    size: float
    rows: int
    exponent: int
    alpha: float
    gram: Callable[[np.ndarray], Interval]
    expected: Callable[[np.ndarray], Interval]

    def norm(self) -> Interval:
        """What holds ``||A - alpha Q||``.

        A errs by gamma(rows + 10) of `size`, alpha Q by less than 50 u alpha in norm, the eigenvalues by a
        few k u of the norm: ``(2 rows + 50 k + 200) u size`` is above the sum, and above what underflows.
        """
        values, ends = self._ends()
        largest, alpha = float(np.abs(values).max()), Interval.of(Fraction(self.alpha))
        best = [line for value, line in zip(values[[0, -1]], map(self._line, ends), strict=True)
                if abs(value) >= _NEARLY * largest]
        low = max(abs(g - alpha * e).low for g, e in best)
        error = (2 * self.rows + 50 * len(values) + 200) * 2.0**-53 * self.size
        high = (Fraction(largest) + Fraction(error)) * Fraction(2) ** self.exponent
        return Interval(low, max(low, high))

    def lines(self) -> list[Line]:
        """Along the eigenvectors at both ends of the spectrum."""
        return [self._line(u) for u in self._ends()[1]]

    def _line(self, u: np.ndarray) -> Line:
        square = Interval.of(dot(u, u))
        return self.gram(u) / square, self.expected(u) / square

    def _ends(self) -> tuple[np.ndarray, list[np.ndarray]]:
        values, vectors = np.linalg.eigh(self.difference)
        return values, [integers(vectors[:, 0]), integers(vectors[:, -1])]
