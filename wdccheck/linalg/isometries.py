"""Isometries: matrices U, real or complex, whose rows or columns are orthonormal."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from wdccheck.errors import InvalidInput
from wdccheck.linalg import inputs, rounding
from wdccheck.linalg.measurements import Measurements

__all__ = ["ORTHONORMAL", "Isometry"]

ORTHONORMAL = 1e-6
"""How far an entry of U U^H - I, or of U^H U - I, may be from 0. What is rounded to float32 passes. No bound
rests on it: all are of U as it is."""

_LARGEST = 2.0  # of an entry; those of an isometry are at most 1


@dataclass(frozen=True, eq=False)
class Isometry:
    """U of shape (m, n), applied to real vectors.

    Parameters
    ----------
    source : array_like of shape (m, n)
        Real or complex; kept as float64 or complex128.

    Raises
    ------
    InvalidInput
        It is no finite matrix, or neither its rows nor its columns are orthonormal.
    """

    source: Any

    def __post_init__(self) -> None:
        object.__setattr__(self, "source", inputs.matrix("U", self.source))
        _check(self.source)

    @property
    def shape(self) -> tuple[int, int]:
        """(m, n)."""
        return (int(self.source.shape[0]), int(self.source.shape[1]))

    @cached_property
    def parts(self) -> np.ndarray:
        """Real matrices (c, m, n): U itself, c = 1, or its real and its imaginary part, c = 2."""
        both = [self.source.real, self.source.imag] if np.iscomplexobj(self.source) else [self.source]
        return np.stack(both)

    @cached_property
    def _rows(self) -> Measurements:
        return Measurements(self.parts.reshape(-1, self.shape[1]))

    def products(self, x: np.ndarray) -> np.ndarray:
        """U x for real x (B, n), by parts: (c, B, m)."""
        return x @ self.parts.swapaxes(1, 2)

    def moduli(self, x: np.ndarray) -> np.ndarray:
        """|<U_j, x>| for real x (B, n): (B, m)."""
        return moduli(self.products(x))

    def least_moduli(self, x: np.ndarray, error: np.ndarray) -> np.ndarray:
        """Lower bounds (m,) of |<U_j, x'>| for x' within `error` of x, both (n,).

        Twice the error of :meth:`Measurements.enclosed` is taken off each part, so that the result stays
        below what :meth:`moduli` computes, too. With a >= b >= 0 the two parts, a sqrt(1 + (b/a)^2) has five
        roundings: 8 u are more, and what underflows is less than 4 of the smallest floats.
        """
        value, bound = (one.reshape(len(self.parts), -1) for one in self._rows.enclosed(x, error))
        least = np.maximum(np.abs(value) - 2 * bound, 0.0)
        return np.maximum(moduli(least) * (1 - 8 * rounding.UNIT) - 4 * 2.0**-1074, 0.0)

    def norms_on(self, chosen: np.ndarray) -> np.ndarray:
        """Proved upper bounds (m,) on sup |<U_j, x>| / ||x|| over real x with x_i = 0 where not `chosen`.

        With a, b the chosen entries of a row's parts, it is the root of the larger eigenvalue of the Gram
        matrix of the two: (p + q)/2 + sqrt(((p - q)/2)^2 + r^2), p = a.a, q = b.b, r = a.b. These err by
        gamma(n) of p, q and |a||b|, so the eigenvalue by gamma(n)(p + q), twice gamma(n) of itself; the
        formula has ten roundings, and half of the terms of gamma(4n + 32) are to spare. The entries are
        scaled to have the largest about 1, so that 2^-500 is more than all that underflows.
        """
        part = self.parts[:, :, chosen]
        largest = float(np.abs(part).max(initial=0.0))
        if not largest:
            return np.zeros(len(part[0]))
        exponent = math.frexp(largest)[1]
        part = np.ldexp(part, -exponent)
        p, q, r = (np.einsum("mn,mn->m", part[i], part[j]) for i, j in ((0, 0), (-1, -1), (0, -1)))
        top = p if len(part) == 1 else (p + q) / 2 + np.sqrt(((p - q) / 2) ** 2 + r * r)
        squares = top * (1 + rounding.gamma(4 * part.shape[2] + 32)) + 2.0**-500
        roots = np.ldexp(np.sqrt(squares), exponent).tolist()
        return np.array([rounding.round_up(root, 4) for root in roots])


def moduli(parts: np.ndarray) -> np.ndarray:
    """Lengths (...) of one or two parts (c, ...), without squares that underflow."""
    size = np.abs(parts)
    if len(parts) == 1:
        return size[0]
    large, small = size.max(axis=0), size.min(axis=0)
    ratio = np.divide(small, large, out=np.zeros_like(large), where=large > 0)
    return large * np.sqrt(1 + ratio * ratio)


def _check(U: np.ndarray) -> None:
    """Refuse what is no isometry; say so where only a factor is missing."""
    m, n = U.shape
    size = float(max(np.abs(U.real).max(), np.abs(U.imag).max()))
    transposed = "U^H" if np.iscomplexobj(U) else "U^T"
    required = f"orthonormal rows or columns, to {ORTHONORMAL:g} in {{}}"
    if size > _LARGEST:
        raise InvalidInput("U", required.format("every product"), f"an entry of magnitude {size:.3g}")
    gram = U @ U.conj().T if m <= n else U.conj().T @ U
    product = f"U {transposed}" if m <= n else f"{transposed} U"
    off = _off(gram)
    if off <= ORTHONORMAL:
        return
    scale = float(np.trace(gram).real) / len(gram)
    hint = ""
    if scale > 0 and _off(gram / scale) <= ORTHONORMAL:
        hint = f"; did you mean U / {math.sqrt(scale):.6g}?"
    raise InvalidInput("U", required.format(f"{product} - I"), f"an entry of it of {off:.3g}{hint}")


def _off(gram: np.ndarray) -> float:
    return float(np.abs(gram - np.eye(len(gram))).max())
