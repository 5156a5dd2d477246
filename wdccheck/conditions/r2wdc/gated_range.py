"""The gated layer behind a network: A_{r,s} - alpha Q_{r,s} at r = G(x), s = G(y), its gates and products."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from wdccheck.geometry.expectation import expected_apply, unit
from wdccheck.geometry.spheres import Points
from wdccheck.ranges import differences

__all__ = ["GatedRange"]


@dataclass(frozen=True, eq=False)
class GatedRange:
    """One gated layer behind a network.

    Parameters
    ----------
    layers : tuple of ndarray
        The layers of G; none for the identity.
    rows : ndarray of shape (m, n)
        In units in which max(|rows|^2, alpha) is about 1.
    alpha : float
    """

    layers: tuple[np.ndarray, ...]
    rows: np.ndarray
    alpha: float

    def images(self, x: np.ndarray, exact: bool = False) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Unit G(x) (B, n), the gates (B, m), and whether all are sure (B,).

        `exact`: gates within rounding, and images known to few digits, are computed in integers.
        """
        opened, sure, value, _ = differences.open_gates(self.layers, self.rows, _scaled(x))
        certain = np.asarray(sure.all(axis=1))
        if exact:
            for b in np.flatnonzero(~certain):
                opened[b] = differences.exactly_open(self.layers, self.rows, _scaled(x[b]))
            certain[:] = True
            value, _ = differences.sharpened(self.layers, _scaled(x), np.zeros_like(x))
        return unit(value), opened, certain

    def enclosed(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """G(x) (n,) of one code up to a power of two, the errors of its entries, its exact gates."""
        opened, sure, _, _ = differences.open_gates(self.layers, self.rows, _scaled(x)[None])
        exact = opened[0] if sure.all() else differences.exactly_open(self.layers, self.rows, _scaled(x))
        value, error = differences.sharpened(self.layers, _scaled(x)[None], np.zeros((1, len(x))))
        return value[0], error[0], exact

    def both(self, points: Points, exact: bool = False) -> tuple[np.ndarray, ...]:
        """r, s (B, n), the gates open at both (B, m), and whether all are sure (B,)."""
        r, open_r, sure_r = self.images(points["x"], exact)
        s, open_s, sure_s = self.images(points["y"], exact)
        return r, s, open_r & open_s, sure_r & sure_s

    def apply(self, r: np.ndarray, s: np.ndarray, both: np.ndarray, v: np.ndarray) -> np.ndarray:
        """(A_{r,s} - alpha Q_{r,s}) v, all (B, n); 0 where r or s is 0."""
        value = ((v @ self.rows.T) * both) @ self.rows - self.alpha * expected_apply(r, s, v)
        nonzero = np.asarray(r.any(axis=1) & s.any(axis=1))
        return value * nonzero[:, None]


def _scaled(x: np.ndarray) -> np.ndarray:
    """x (..., k) divided by a power of two: exact, unlike a unit vector."""
    _, exponent = np.frexp(np.abs(x).max(axis=-1, keepdims=True))
    return np.ldexp(x, -exponent)
