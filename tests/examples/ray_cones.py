"""Cones of stored rays, and whether a form is positive on their differences, decided by brute force."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations, combinations_with_replacement
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
    """Of a matrix of integers, without fractions (Bareiss)."""
    z, sign, last = [list(row) for row in z], 1, 1
    for j in range(len(z) - 1):
        swap = next((i for i in range(j, len(z)) if z[i][j]), None)
        if swap is None:
            return 0
        if swap != j:
            z[j], z[swap], sign = z[swap], z[j], -sign
        for i in range(j + 1, len(z)):
            z[i] = [(z[j][j] * z[i][m] - z[i][j] * z[j][m]) // last for m in range(len(z))]
        last = z[j][j]
    return sign * z[-1][-1] if z else 1


def copositive(z):
    """Hadeler: no principal submatrix has cofactors >= 0 of its last row and a determinant < 0."""
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
    *flat, common = _integers([*np.ravel(H), t])
    n = len(H)
    form = common * np.eye(n, dtype=int).astype(object) - np.array(flat, dtype=object).reshape(n, n)
    rays = np.array(cones.exactly, dtype=object)
    every = [[int(ray) for ray in simplex if ray >= 0] for simplex in cones.simplices]
    for one, two in combinations_with_replacement(every, 2):
        signed = np.concatenate([rays[one], -rays[two]])
        if not copositive((signed @ form @ signed.T).tolist()):
            return False
    return True


def threshold(cones, H):
    """The least float t for which `holds`, by bisection; there is some ray."""
    high = float(2 + sum(abs(x) for x in np.ravel(H)))
    low = -high
    while True:
        middle = (low + high) / 2
        if middle in (low, high):
            return high
        low, high = (low, middle) if holds(cones, H, middle) else (middle, high)
