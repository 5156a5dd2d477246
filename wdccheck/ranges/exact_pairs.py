"""Pairs of cones whose forms floats cannot decide, in integers (Fact 25)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Protocol

import numpy as np

from wdccheck.ranges.differences import integers
from wdccheck.ranges.exact_copositivity import negative_point

__all__ = ["ExactPairs", "Images", "Matrix", "Violation"]


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

    def violation(self, matrix: Matrix) -> Violation | None:
        """Where the matrix is not copositive; None if it is."""
        rays = [self._ray(ray) for ray in matrix.rays]
        z = [[a * b * int(one[0] @ two[1]) for b, two in zip(matrix.signs, rays, strict=True)]
             for a, one in zip(matrix.signs, rays, strict=True)]
        x = negative_point(z)
        if x is None:
            return None
        signed = [sign * value for sign, value in zip(matrix.signs, x, strict=True)]
        u = sum(value * ray[0] for value, ray in zip(signed, rays, strict=True))
        longest = max(abs(value) for value in u)
        unit = np.array([float(value / longest) for value in u])
        stored = np.abs(self._images.vectors[list(matrix.rays)]).max(axis=1).tolist()
        on_unit = [value * int(max(abs(g) for g in ray[0])) / Fraction(size)
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
