"""Whether a small matrix of integers is copositive, decided exactly (Fact 25)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

__all__ = ["negative_point", "semidefinite"]

Matrix = Sequence[Sequence[int]]


def negative_point(z: Matrix) -> tuple[int, ...] | None:
    """Integers x >= 0 with x^T z x < 0 for a symmetric z (p, p) of integers; None if z is copositive.

    z is copositive unless for some rows S the matrix z_SS is regular and all of y = z_SS^-1 (1, ..., 1)
    is negative; then x = -y, and 0 elsewhere, will do.

    Examples
    --------
    >>> negative_point([[1, 2], [2, 1]]) is None
    True
    >>> negative_point([[1, -2], [-2, 1]])
    (3, 3)
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
                x = [0] * p
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


def _solved(a: list[list[int]]) -> list[int] | None:
    """A positive multiple of the solution of a y = (1, ..., 1); None if a is singular.

    Gauss-Jordan elimination without fractions: every entry on the way is a determinant (Bareiss).
    """
    n = len(a)
    a = [[*row, 1] for row in a]
    last = 1
    for j in range(n):
        swap = next((i for i in range(j, n) if a[i][j] != 0), None)
        if swap is None:
            return None
        a[j], a[swap] = a[swap], a[j]
        own, pivot = a[j], a[j][j]
        for i in range(n):
            if i != j:
                entry = a[i][j]
                a[i] = [(pivot * x - entry * y) // last for x, y in zip(a[i], own, strict=True)]
        last = pivot
    return [row[n] if last > 0 else -row[n] for row in a]
