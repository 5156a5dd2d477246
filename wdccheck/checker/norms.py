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
    gram: np.ndarray, expected: np.ndarray, rows: int, exponent: int, form: Callable[[np.ndarray], Interval],
) -> Interval:
    """``||A - alpha Q||`` for the floats `gram` of A (k, k) and `expected` of alpha Q, times ``2**exponent``.

    Parameters
    ----------
    rows : int
        How many rows A sums.
    form : callable
        Integers u (k,) to what holds ``u^T (A - alpha Q) u`` at its true scale.

    Notes
    -----
    A errs by gamma(rows) trace(A), alpha Q by a few k u alpha, the eigenvalues by a few k u of both:
    all below ``(rows + 50 k + 200) u (trace(A) + alpha)``, and ``2 ||alpha Q||_F >= alpha/k``.
    """
    k = len(gram)
    values, vectors = np.linalg.eigh(gram - expected)
    largest = float(np.abs(values).max())
    best = [vectors[:, i] for i in {0, k - 1} if abs(values[i]) >= _NEARLY * largest]
    low = Fraction(0)
    for u in map(integers, best):
        low = max(low, (abs(form(u)) / Interval.of(dot(u, u))).low)
    size = float(np.trace(gram)) + 2 * k * float(np.linalg.norm(expected)) + 2.0**-1000
    error = (rows + 50 * k + 200) * 2.0**-53 * size
    return Interval(low, max(low, (Fraction(largest) + Fraction(error)) * Fraction(2) ** exponent))
