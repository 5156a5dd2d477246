"""Pairs of cones whose forms floats cannot decide, in integers (Fact 25)."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Protocol

import numpy as np

from wdccheck import _kernels
from wdccheck._kernels.ray_blocks import ORDER
from wdccheck.errors import OutOfTime
from wdccheck.linalg import rounding
from wdccheck.linalg.rounding import integers
from wdccheck.ranges.exact_copositivity import negative_point

__all__ = ["NODES", "ExactPairs", "Images", "Matrix", "Violation"]

NODES = 10_000
"""Nodes of the search of one matrix; beyond, it is left to integers."""


class Images(Protocol):
    """The cones of a range, as :class:`wdccheck.ranges.image_rays.ImageRays` has them."""

    @property
    def vectors(self) -> np.ndarray:
        """A direction of length about 1 of each ray, (R, n)."""

    @property
    def error(self) -> np.ndarray:
        """Bound on the distance of each from the exact ray, (R,)."""

    @property
    def simplices(self) -> np.ndarray:
        """The rays that span each cone, (S, k), k <= 3; -1 where there are fewer."""

    def exact(self, ray: int) -> Sequence[int] | np.ndarray:
        """A positive multiple of the exact ray, in integers (n,)."""


@dataclass(frozen=True)
class Matrix:
    """The form on a pair of simplices, with signs for the rays of its matrix."""

    pair: tuple[int, int]
    rays: tuple[int, ...]
    signs: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Violation:
    """u = ``coefficients @ vectors[rays]`` up to a factor, a unit of shape (n,)."""

    rays: tuple[int, ...]
    coefficients: tuple[float, ...]
    u: np.ndarray


class ExactPairs:
    """tI - H on differences of exact rays, times a power of two."""

    def __init__(self, images: Images, H: np.ndarray, t: float) -> None:
        self._images, self._H, self._t = images, H, t
        self._rays: dict[int, tuple[np.ndarray, np.ndarray]] = {}

    @cached_property
    def _form(self) -> np.ndarray:
        numbers, _ = integers(np.append(self._H.ravel(), self._t))
        form = -numbers[:-1].reshape(self._H.shape)
        form[range(len(form)), range(len(form))] += numbers[-1]
        return form

    def violations(self, matrices: Sequence[Matrix], deadline: float) -> list[Violation]:
        """Those of the matrices that are not copositive.

        Raises
        ------
        OutOfTime
            The deadline, of ``time.monotonic()``, has passed.
        """
        forms = []
        for matrix in matrices:
            if time.monotonic() > deadline:
                raise OutOfTime("not all pairs of cones were looked into in time")
            forms.append(self._of(matrix))
        found = []
        for i in np.flatnonzero(~_proved(forms, deadline)).tolist():
            if time.monotonic() > deadline:
                raise OutOfTime("not all pairs of cones were looked into in time")
            x = negative_point(forms[i])
            if x is not None:
                found.append(self._violation(matrices[i], x))
        return found

    def _of(self, matrix: Matrix) -> list[list[int]]:
        rays = [self._ray(ray) for ray in matrix.rays]
        return [[a * b * int(one[0] @ two[1]) for b, two in zip(matrix.signs, rays, strict=True)]
                for a, one in zip(matrix.signs, rays, strict=True)]

    def _violation(self, matrix: Matrix, x: Sequence[int]) -> Violation:
        """The difference with coefficients x."""
        rays = [self._ray(ray)[0] for ray in matrix.rays]
        signed = [sign * value for sign, value in zip(matrix.signs, x, strict=True)]
        u = [sum(value * int(g) for value, g in zip(signed, place, strict=True))
             for place in zip(*rays, strict=True)]
        longest = max(abs(value) for value in u)
        unit = np.array([value / longest for value in u])
        stored = np.abs(self._images.vectors[list(matrix.rays)]).max(axis=1).tolist()
        on_unit = [value * max(abs(g) for g in ray) / Fraction(size)
                   for value, ray, size in zip(signed, rays, stored, strict=True)]
        most = max(abs(value) for value in on_unit)
        return Violation(matrix.rays, tuple(float(value / most) for value in on_unit),
                         unit / np.linalg.norm(unit))

    def _ray(self, ray: int) -> tuple[np.ndarray, np.ndarray]:
        """g and Qg in integers."""
        if ray not in self._rays:
            g = np.array([int(value) for value in self._images.exact(ray)], dtype=object)
            self._rays[ray] = g, self._form @ g
        return self._rays[ray]


def _proved(forms: Sequence[list[list[int]]], deadline: float) -> np.ndarray:
    """Which matrices floats prove to be copositive if they are scaled to have a diagonal of about 1.

    Each entry is rounded once, by u z and 2^-1075, z the largest of its matrix: that is e_0 of Fact 25 with
    weights 1, and 640 u z is more than e_0 + 600 u z. Where z < 1/2, the diagonal is not positive.
    """
    z, orders = np.zeros((len(forms), ORDER, ORDER)), np.array([len(form) for form in forms], dtype=np.int64)
    for matrix, form in zip(z, forms, strict=True):
        bits = [max(form[i][i], 0).bit_length() // 2 for i in range(len(form))]
        for i, j in np.ndindex(len(form), len(form)):
            matrix[i, j] = _quotient(form[i][j], bits[i] + bits[j])
        pad = 640 * rounding.UNIT * float(np.abs(matrix).max())
        matrix[: len(form), : len(form)] -= pad if pad < math.inf else math.nan
    return _kernels.search_matrices(z, orders, NODES, deadline)


def _quotient(value: int, bits: int) -> float:
    """``value / 2**bits``, rounded once; infinite beyond floats."""
    try:
        return value / (1 << bits)
    except OverflowError:
        return math.inf
