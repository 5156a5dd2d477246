"""Exact elimination of rows of floats: their rank, pivot columns, and what is orthogonal to them."""

from __future__ import annotations

from fractions import Fraction
from math import lcm

import numpy as np

from wdccheck.linalg.rounding import integers

__all__ = ["Vector", "normal", "pivot_columns", "pivots_of", "rational"]

Vector = tuple[Fraction, ...]

_ROWS = 2**12  # turned into integers in one go


def pivot_columns(rows: np.ndarray) -> list[int]:
    """Columns of rows (m, k) that hold a maximal independent set of columns, exactly.

    As many as the rank. Restricting the rows to them loses no sign pattern: the products W r
    and W[:, pivots] r' run through the same vectors. They depend on the span of the rows alone, which a few
    rows have as soon as all that is orthogonal to them is orthogonal to every row.
    """
    chosen = list(range(min(len(rows), 4 * rows.shape[1])))
    found, pivots = _echelon(rational(rows[chosen]))
    while len(pivots) < rows.shape[1] and (more := _outside(rows, found, pivots)):
        chosen = chosen + more
        found, pivots = _echelon(rational(rows[chosen]))
    return pivots


def _outside(rows: np.ndarray, found: list[list[Fraction]], pivots: list[int]) -> list[int]:
    """Indices of rows (m, k) that an echelon form does not span: one for each y orthogonal to it, exactly."""
    columns, result = rows.shape[1], []
    for free in sorted(set(range(columns)) - set(pivots)):
        y = _orthogonal(found, pivots, free, columns)
        used = [j for j in range(columns) if y[j]]
        common = lcm(*(y[j].denominator for j in used))
        whole = np.array([int(y[j] * common) for j in used], dtype=object)
        for start in range(0, len(rows), _ROWS):
            products = integers(rows[start: start + _ROWS, used])[0] @ whole
            if (apart := np.flatnonzero(products != 0)).size:
                result.append(start + int(apart[0]))
                break
    return result


def rational(rows: np.ndarray) -> list[Vector]:
    """The rows as fractions."""
    return [tuple(Fraction(float(x)) for x in row) for row in rows]


def pivots_of(vectors: list[Vector]) -> list[int]:
    """Columns of a maximal independent set, found by exact elimination."""
    return _echelon(vectors)[1]


def _echelon(vectors: list[Vector]) -> tuple[list[list[Fraction]], list[int]]:
    """Rows that span the same, the first ones in echelon form, and the columns of their first entries."""
    work = [list(v) for v in vectors]
    columns = len(work[0]) if work else 0
    pivots: list[int] = []
    for j in range(columns):
        row = next((i for i in range(len(pivots), len(work)) if work[i][j] != 0), None)
        if row is None:
            continue
        top = len(pivots)
        work[top], work[row] = work[row], work[top]
        for i in range(top + 1, len(work)):
            if work[i][j] != 0:
                factor = work[i][j] / work[top][j]
                work[i] = [a - factor * b for a, b in zip(work[i], work[top], strict=True)]
        pivots.append(j)
        if len(pivots) == len(work):
            break
    return work, pivots


def normal(vectors: list[Vector], p: int) -> Vector | None:
    """A nonzero vector of Q^p orthogonal to p - 1 vectors; None if they are dependent."""
    rows, pivots = _echelon(vectors)
    if len(pivots) < p - 1:
        return None
    return _orthogonal(rows, pivots, min(set(range(p)) - set(pivots)), p)


def _orthogonal(rows: list[list[Fraction]], pivots: list[int], free: int, columns: int) -> Vector:
    """What is orthogonal to rows in echelon form, 1 at a column `free` and 0 at the other free ones."""
    y = [Fraction(int(j == free)) for j in range(columns)]
    for row, j in zip(rows[:len(pivots)][::-1], pivots[::-1], strict=True):
        y[j] = -sum((a * b for a, b in zip(row[j + 1:], y[j + 1:], strict=True)), Fraction(0)) / row[j]
    return tuple(y)
