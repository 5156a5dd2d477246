"""Cones of stored rays, and whether a form is positive on their differences, decided by brute force."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations, product
from math import lcm

import numpy as np


@dataclass(frozen=True, eq=False)
class StoredRays:
    """Rays with integers of their own: ``exactly``, or the stored floats."""

    vectors: np.ndarray
    simplices: np.ndarray
    error: np.ndarray
    exactly: tuple[tuple[int, ...], ...]

    def exact(self, ray):
        return self.exactly[ray]

    @staticmethod
    def of(vectors, simplices, error=0.0, exactly=None):
        vectors = np.array(vectors, dtype=float)
        exactly = vectors if exactly is None else exactly
        return StoredRays(vectors, np.array(simplices, dtype=int).reshape(len(simplices), -1),
                          np.full(len(vectors), error), tuple(_integers(row) for row in exactly))


def _integers(row):
    exact = [Fraction(x) for x in row]
    common = lcm(*(x.denominator for x in exact))
    return tuple(int(x * common) for x in exact)


def determinant(z):
    """By cofactors of the first row."""
    if not z:
        return 1
    rest = [row[1:] for row in z[1:]]
    return sum((-1) ** j * z[0][j] * determinant([row[:j] + row[j + 1:] for row in z[1:]])
               for j in range(len(z))) if rest else z[0][0]


def copositive(z):
    """Hadeler's criterion: no principal submatrix has a negative determinant and cofactors >= 0 of its last row."""
    z = [list(row) for row in z]
    for count in range(1, len(z) + 1):
        for rows in combinations(range(len(z)), count):
            part = [[z[i][j] for j in rows] for i in rows]
            last = [(-1) ** (count - 1 + j) * determinant([row[:j] + row[j + 1:] for row in part[:-1]])
                    for j in range(count)]
            if min(last) >= 0 and determinant(part) < 0:
                return False
    return True


def holds(cones, H, t):
    """Whether u^T H u <= t ||u||^2 for all differences u of points in the cones, exactly."""
    form = [[Fraction(t) * (i == j) - Fraction(H[i][j]) for j in range(len(H))] for i in range(len(H))]

    def inner(a, b):
        return sum(x * sum(q * y for q, y in zip(row, b, strict=True)) for x, row in zip(a, form, strict=True))

    every = [[int(ray) for ray in simplex if ray >= 0] for simplex in cones.simplices]
    for one, two in product(every, every):
        rays = [cones.exactly[ray] for ray in one] + [[-x for x in cones.exactly[ray]] for ray in two]
        if not copositive([[inner(a, b) for b in rays] for a in rays]):
            return False
    return True


def threshold(cones, H):
    """The least float t for which `holds`, by bisection."""
    low, high = 0.0, float(2 + sum(abs(x) for x in np.ravel(H)))
    if holds(cones, H, low):
        return low
    while True:
        middle = (low + high) / 2
        if middle in (low, high):
            return high
        low, high = (low, middle) if holds(cones, H, middle) else (middle, high)
