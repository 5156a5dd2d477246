"""One layer W in units in which ``max(||W||^2, alpha)`` is about 1 (Fact 3: exact powers of two)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from wdccheck import _kernels
from wdccheck.errors import InvalidInput
from wdccheck.geometry.expectation import expected_gram
from wdccheck.linalg import matrices, powers, rounding
from wdccheck.rounded_text import shortest

__all__ = ["Layer"]


@dataclass(frozen=True, eq=False)
class Layer:
    """The rows and the scale of the expectation, both in these units.

    Attributes
    ----------
    rows : Rows of shape (n, k)
    alpha : float
    exponent : int
        Deviations are ``4**exponent`` times as large in the units of the caller.
    """

    rows: matrices.Rows
    alpha: float
    exponent: int

    @staticmethod
    def of(thing: str, W: matrices.Rows, alpha: float, before: Layer | None = None) -> Layer:
        """The layer of W (n, k); `before` is that of the same W at another alpha.

        Raises
        ------
        InvalidInput
            Epsilon itself is no float64, or the entries are too far apart.
        """
        entries = matrices.stored(W)
        largest = powers.largest(entries)
        # the extreme powers of two of max(|W|, sqrt(alpha)), without forming a square
        e_w, e_a = (math.frexp(x)[1] for x in (largest, math.sqrt(alpha)))
        exponent = max(e_w, e_a) if largest else e_a
        if not -480 <= exponent <= 480:
            raise InvalidInput(f"{thing} and alpha", "max(|W|^2, alpha) between 1e-288 and 1e288",
                               f"max |W| = {largest:g}, alpha = {shortest(alpha)}")
        if before is not None and before.exponent == exponent:
            return Layer(before.rows, math.ldexp(alpha, -2 * exponent), exponent)
        rows = matrices.divided(W, exponent)
        if rows is None:
            raise InvalidInput(thing, "nonzero entries that stay normal floats when the largest is 1",
                               f"smallest {np.abs(entries[entries != 0]).min():g}, largest {largest:g}")
        return Layer(rows, math.ldexp(alpha, -2 * exponent), exponent)

    @property
    def scale(self) -> int:
        """The exponent of two of a deviation."""
        return 2 * self.exponent

    def open(self, x: np.ndarray) -> np.ndarray:
        """``w_i . x > 0`` by exact sign: (..., n) for x (..., k)."""
        return rounding.open_gates(self.rows, x, self.sums)

    def difference(self, r: np.ndarray, s: np.ndarray) -> np.ndarray:
        """A_{r,s} - alpha Q_{r,s} for r, s (B, k): (B, k, k)."""
        both = self.open(r) & self.open(s)
        grams = (np.stack([matrices.gram(self.rows[on]) for on in both]) if matrices.is_sparse(self.rows)
                 else _kernels.gram(self.rows, self.outer, both))
        return grams - self.alpha * expected_gram(r, s)

    @cached_property
    def sums(self) -> np.ndarray:
        """||w_i||_1 of every row."""
        return matrices.absolute_sums(self.rows)

    @cached_property
    def errors(self) -> np.ndarray:
        """How far a computed w_i . x may be from the exact one, x of length about 1."""
        return rounding.product_errors(self.rows, self.sums)

    @cached_property
    def outer(self) -> np.ndarray | None:
        """Outer products of the rows, where a kernel is faster with them."""
        return _kernels.tabulated(self.rows)
