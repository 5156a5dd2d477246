"""The inequalities of the joint-WDC: gated Gram matrices whose rows carry weights (c.m)_+ (c.y)_+."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from wdccheck import _kernels
from wdccheck.conditions.maximizer import extremes
from wdccheck.errors import InvalidInput
from wdccheck.geometry.expectation import angle, expected_gram, expected_inner, unit
from wdccheck.geometry.spheres import Points
from wdccheck.linalg import rounding
from wdccheck.protocol.condition import Measured
from wdccheck.rounded_text import shortest

__all__ = ["Inequalities", "Sums", "WeightedPair"]

_BLOCK = 2**22  # entries of one temporary array
_TINY = math.ulp(0.0)


@dataclass(frozen=True, eq=False)
class Sums:
    """Weights (B, l) of the rows, their gates open, and kappa (B,), at a batch of points."""

    weights: np.ndarray
    kappa: np.ndarray


@dataclass(frozen=True, eq=False)
class WeightedPair:
    """l B_{+,h}^T diag(C_{+,m} m . C_{+,y} y) B_{+,x} - alpha (m^T Q_{m,y} y) Q_{h,x} ([HJ] eq. 6).

    Eq. 7 is the same with the roles of (B, h, x) and (C, m, y) exchanged.

    Parameters
    ----------
    rows : ndarray of shape (l, k)
        b_i, whose gates h and x open; entries of at most about 1.
    others : ndarray of shape (l, q)
        c_i, which weigh.
    gating, weighing : tuple of str
        ("h", "x") and ("m", "y").
    alpha : float
    """

    rows: np.ndarray
    others: np.ndarray
    gating: tuple[str, str]
    weighing: tuple[str, str]
    alpha: float

    # -- at points ---------------------------------------------------------------------------

    def sums(self, points: Points, opened: np.ndarray) -> Sums:
        """Weights of rows whose gates are `opened` (B, l); points (B, dim), of any length."""
        m, y = (unit(points[x]) for x in self.weighing)
        return Sums(self.weight(m) * self.weight(y) * opened * len(self.rows),
                    expected_inner(angle(m, y)))

    def weight(self, m: np.ndarray) -> np.ndarray:
        """(c_i.m)_+ for m (B, q): (B, l)."""
        return np.maximum(m @ self.others.T, 0.0)

    def exactly_open(self, points: Points) -> np.ndarray:
        """Gates open for both letters, by exact sign: (B, l)."""
        r, s = (rounding.open_gates(self.rows, points[x]) for x in self.gating)
        return r & s

    def difference(self, points: Points, opened: np.ndarray) -> np.ndarray:
        """A - alpha kappa Q, (B, k, k)."""
        sums = self.sums(points, opened)
        q = expected_gram(*(points[x] for x in self.gating))
        return _kernels.gram(self.rows, self.outer, sums.weights) - self.alpha * sums.kappa[:, None, None] * q

    def deviation(self, points: Points) -> np.ndarray:
        """The spectral norm of the difference, gates by exact sign: (B,)."""
        count = len(points[self.gating[0]])
        values, block = np.empty(count), max(1, _BLOCK // max(len(self.rows), self.rows.shape[1] ** 2))
        for start in range(0, count, block):
            some = {x: p[start:start + block] for x, p in points.items()}
            ends = np.linalg.eigvalsh(self.difference(some, self.exactly_open(some)))[:, [0, -1]]
            values[start:start + block] = np.abs(ends).max(axis=1)
        return values

    def extreme(
        self, points: Points, near: np.ndarray | None, sign: float | None
    ) -> tuple[np.ndarray, np.ndarray]:
        """u (B, k) and u^T (A - alpha kappa Q) u, made 0 where a gate is within rounding."""
        letters = points[self.gating[0]], points[self.gating[1]]
        opened, sure = rounding.common_gates(self.rows, self.errors, letters)
        sums, (r, s) = self.sums(points, opened), (unit(x) for x in letters)
        u, value = extremes(self.rows, self.outer, sums.weights, self.alpha * sums.kappa, (r, s), near, sign)
        return u, value * sure

    # -- with rounding -----------------------------------------------------------------------

    def measure(self, point: Points) -> tuple[float, Measured]:
        """The deviation at one point, and its two terms along its top eigenvector u with their errors.

        m and y are brought to lengths between 1/2 and sqrt(q) by powers of two, which costs 2^-1074 per
        entry. p_i = (c_i.m)_+ then errs by e_i = gamma(q) |c_i|.|m| + 2 q 2^-1074 at most, also where the
        sign of c_i.m is unsure, as the positive part moves no farther than its argument; d_i = b_i.u
        likewise. The product of the intervals around p_i, p'_i and d_i^2 bounds the error of a summand,
        and every term of it is positive. The lengths and u.u err by gamma; kappa and Q
        each by rounding.expectation_error and each is at most 1/2.
        """
        batch = {x: point[x][None] for x in (*self.gating, *self.weighing)}
        opened = self.exactly_open(batch)
        values, basis = np.linalg.eigh(self.difference(batch, opened)[0])
        top = int(np.argmax(np.abs(values)))
        u, chosen = basis[:, top], np.flatnonzero(opened[0])
        (p, ep, m_norm), (y, ey, y_norm) = (self._weighed(point[x], chosen) for x in self.weighing)
        on, k, q = self.rows[chosen], self.rows.shape[1], self.others.shape[1]
        d, e = np.abs(on @ u), rounding.gamma(k + 4) * (np.abs(on) @ np.abs(u)) + k * _TINY
        length, count = float(u @ u) * m_norm * y_norm, len(self.rows)
        gram = math.fsum(p * y * d * d) / length * count
        wide = (d + e) ** 2
        errors = ep * (y + ey) * wide + p * ey * wide + p * y * (2 * d * e + e * e) + 16 * _TINY * (1 + wide)
        gram_error = (math.fsum(errors) / length + 2 * _TINY) * count
        gram_error += (16 * rounding.gamma(k + q + 8)) * gram
        kappa = float(expected_inner(angle(*(point[x] for x in self.weighing))))
        expected = float(u @ expected_gram(*(point[x] for x in self.gating)) @ u) / float(u @ u)
        expectation_error = (rounding.expectation_error(k) + rounding.expectation_error(q)
                             + 8 * rounding.gamma(k + 8) * math.sqrt(k))
        return abs(float(values[top])), Measured(gram, gram_error * (1 + 1e-9), kappa * expected,
                                                 expectation_error * (1 + 1e-9))

    def _weighed(self, m: np.ndarray, chosen: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
        """(c_i.m)_+, its error, and |m|, for m scaled by a power of two."""
        m, q = np.ldexp(m, -int(np.frexp(np.max(np.abs(m)))[1])), self.others.shape[1]
        on = self.others[chosen]
        error = rounding.gamma(q + 4) * (np.abs(on) @ np.abs(m)) + 2 * q * _TINY
        return np.maximum(on @ m, 0.0), error, float(np.linalg.norm(m))

    @cached_property
    def errors(self) -> np.ndarray:
        """Errors of the gates, see common_gates."""
        return rounding.product_errors(self.rows)

    @cached_property
    def outer(self) -> np.ndarray | None:
        """Outer products of the rows, where they are small."""
        return _kernels.tabulated(self.rows)


@dataclass(frozen=True, eq=False)
class Inequalities:
    """Both inequalities, in units in which B, C and alpha are at most 1 (Fact 3: powers of two).

    Attributes
    ----------
    B : ndarray of shape (l, n)
    C : ndarray of shape (l, p)
    alpha : float
    scale : int
        Deviations are ``2**scale`` times as large in the units of the caller.
    """

    B: np.ndarray
    C: np.ndarray
    alpha: float
    scale: int

    @staticmethod
    def of(B: np.ndarray, C: np.ndarray, alpha: float) -> Inequalities:
        """Those of a pair as the caller has it.

        Raises
        ------
        InvalidInput
            Epsilon itself is no float64, or entries are too far apart.
        """
        largest = [float(np.abs(W).max()) for W in (B, C)]
        exponents = _balanced_exponents(largest, alpha)
        if not -480 <= sum(exponents) <= 480:
            raise InvalidInput(
                "B, C and alpha", "max(|B|^2 |C|^2, alpha) between 1e-288 and 1e288, or epsilon is no float",
                f"max |B| = {largest[0]:g}, max |C| = {largest[1]:g}, alpha = {shortest(alpha)}")
        for name, W, e in (("B", B, exponents[0]), ("C", C, exponents[1])):
            if not np.array_equal(np.ldexp(np.ldexp(W, -e), e), W):
                raise InvalidInput(name, "nonzero entries that stay normal floats once scaled by the "
                                   "largest", f"smallest {np.abs(W[W != 0]).min():g}")
        scale = 2 * sum(exponents)
        return Inequalities(np.ldexp(B, -exponents[0]), np.ldexp(C, -exponents[1]),
                            math.ldexp(alpha, -scale), scale)

    @property
    def letters(self) -> dict[str, int]:
        """h and x in R^n, m and y in R^p."""
        n, p = self.B.shape[1], self.C.shape[1]
        return {"h": n, "x": n, "m": p, "y": p}

    @cached_property
    def parts(self) -> dict[str, WeightedPair]:
        """By name: "B", [HJ] eq. 6, and "C", eq. 7."""
        return {"B": WeightedPair(self.B, self.C, ("h", "x"), ("m", "y"), self.alpha),
                "C": WeightedPair(self.C, self.B, ("m", "y"), ("h", "x"), self.alpha)}

    def deviations(self, points: Points) -> dict[str, np.ndarray]:
        """Both deviations (B,) in the units of the caller, gates by exact sign; points (B, dim)."""
        return {name: np.ldexp(pair.deviation(points), self.scale) for name, pair in self.parts.items()}


def _balanced_exponents(largest: list[float], alpha: float) -> tuple[int, int]:
    """Exponents that bring the largest entries of B and C, and alpha, below 1; those of zeros are free."""
    half = -(-math.frexp(alpha)[1] // 2)
    b, c = (math.frexp(x)[1] for x in largest)
    if not largest[0]:
        return half - c, c
    if not largest[1]:
        return b, half - b
    lacking = max(half - b - c, 0)
    return b + lacking // 2, c + lacking - lacking // 2
