"""Whether a small matrix of integers is copositive, decided exactly (Fact 25)."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import combinations

__all__ = ["negative_point", "semidefinite"]

Matrix = Sequence[Sequence[int]]


def negative_point(z: Matrix) -> tuple[Fraction, ...] | None:
    """Some x >= 0 with x^T z x < 0 for a symmetric z (p, p) of integers; None if z is copositive.

    z is copositive unless for some rows S the matrix z_SS is regular and all of y = z_SS^-1 (1, ..., 1)
    is negative; then x = -y, and 0 elsewhere, will do.

    Examples
    --------
    >>> negative_point([[1, 2], [2, 1]]) is None
    True
    >>> negative_point([[1, -2], [-2, 1]]) == (1, 1)
    True
    >>> negative_point([[1, -1], [-1, 1]]) is None
    True
    """
    p = len(z)
    if semidefinite(z):
        return None
    for count in range(1, p + 1):
        for rows in combinations(range(p), count):
            y = _solved([[z[i][j] for j in rows] for i in rows])
            if y is not None and all(value < 0 for value in y):
                x = [Fraction(0)] * p
                for i, value in zip(rows, y, strict=True):
                    x[i] = -value
                return tuple(x)
    return None


def semidefinite(z: Matrix) -> bool:
    """Whether a symmetric z (p, p) of integers is positive semidefinite.

    Elimination without fractions: a pivot 0 is passed over if the rest of its row is 0. Every matrix on the
    way is a positive multiple of a Schur complement.

    Examples
    --------
    >>> semidefinite([[1, -1], [-1, 1]]), semidefinite([[0, 1], [1, 5]])
    (True, False)
    """
    a = [list(row) for row in z]
    last = 1
    while a:
        pivot = a[0][0]
        if pivot < 0 or (pivot == 0 and any(a[0])):
            return False
        rest = range(1, len(a))
        if pivot == 0:
            a = [a[i][1:] for i in rest]
            continue
        a = [[(pivot * a[i][j] - a[i][0] * a[0][j]) // last for j in rest] for i in rest]
        last = pivot
    return True


def _solved(a: list[list[int]]) -> list[Fraction] | None:
    """The solution of a y = (1, ..., 1) (Bareiss); None if a is singular."""
    n = len(a)
    a = [[*row, 1] for row in a]
    last = 1
    for j in range(n):
        swap = next((i for i in range(j, n) if a[i][j] != 0), None)
        if swap is None:
            return None
        a[j], a[swap] = a[swap], a[j]
        for i in range(j + 1, n):
            a[i] = [(a[j][j] * a[i][m] - a[i][j] * a[j][m]) // last for m in range(n + 1)]
        last = a[j][j]
    y = [Fraction(0)] * n
    for i in reversed(range(n)):
        rest = sum((a[i][j] * y[j] for j in range(i + 1, n)), Fraction(0))
        y[i] = (a[i][n] - rest) / a[i][i]
    return y
