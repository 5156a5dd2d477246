"""The norm of a symmetric matrix: from below by an exact quotient, from above by its float and an error."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import numpy as np

from wdccheck.checker.exact import dot, integers
from wdccheck.checker.intervals import Interval

__all__ = ["norm"]

_NEARLY = 1 - 1e-6  # of the largest eigenvalue: from there on both ends of the spectrum are evaluated


def norm(
    difference: np.ndarray, size: float, rows: int, exponent: int, form: Callable[[np.ndarray], Interval],
) -> Interval:
    """``||A - alpha Q||`` for the floats `difference` (k, k) of A - alpha Q, times ``2**exponent``.

    Parameters
    ----------
    size : float
        The sum of the absolute values of all that A sums along a diagonal, plus alpha: what does not cancel.
    rows : int
        How many rows A sums.
    form : callable
        Integers u (k,) to what holds ``u^T (A - alpha Q) u`` at its true scale.

    Notes
    -----
    A errs by gamma(rows + 10) of `size`, alpha Q by less than 50 u alpha in norm, the eigenvalues by a
    few k u of the norm: ``(2 rows + 50 k + 200) u size`` is above the sum, and above what underflows.
    """
    k = len(difference)
    values, vectors = np.linalg.eigh(difference)
    largest = float(np.abs(values).max())
    best = [vectors[:, i] for i in {0, k - 1} if abs(values[i]) >= _NEARLY * largest]
    low = Fraction(0)
    for u in map(integers, best):
        low = max(low, (abs(form(u)) / Interval.of(dot(u, u))).low)
    error = (2 * rows + 50 * k + 200) * 2.0**-53 * size
    return Interval(low, max(low, (Fraction(largest) + Fraction(error)) * Fraction(2) ** exponent))
