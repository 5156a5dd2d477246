"""Majorants H of +-D, D = A^T A - I, each proved: |D|, and any symmetric matrix that somebody proposes.

One majorant serves all regions of a search (Fact 21): it travels with them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from wdccheck.linalg import rounding

__all__ = ["AbsoluteValue", "Majorant", "Proved", "forms"]

_APART = 1.02  # of a lower bound: a dual value above is worth a word
_RAISED = (1e-12, 1e-10, 1e-8)  # of ||H||: added to the diagonal until the factorizations run to their end


@dataclass(frozen=True, eq=False)
class Majorant:
    """A symmetric H with H + pad I >= +-D for the exact D.

    Attributes
    ----------
    matrix : ndarray of shape (n, n)
    pad : float
    dual : float
        No majorant has a smaller supremum of u^T H u over the unit range differences (Fact 24). It is
        computed, not proved: no bound depends on it.

    Examples
    --------
    >>> import numpy as np
    >>> from wdccheck.ranges.majorants import Majorant
    >>> A = np.array([[2.0, 0.0], [0.0, 0.5]])
    >>> found = Majorant.of(np.diag([3.0, 0.75]), A)
    >>> found.proves(A), found.pad < 1e-13
    (True, True)
    >>> Majorant(np.diag([3.0, 0.7]), found.pad).proves(A)
    False
    """

    matrix: np.ndarray
    pad: float
    dual: float = 0.0

    @staticmethod
    def of(matrix: np.ndarray, A: np.ndarray, dual: float = 0.0) -> Majorant | None:
        """The matrix, its diagonal raised by rounding, with a proved pad; None where the proof fails."""
        size = float(np.linalg.norm(matrix))
        for raised in _RAISED:
            higher = matrix + raised * size * np.eye(len(matrix))
            loss = _loss(higher, A)
            if loss is not None:
                return Majorant(higher, loss, dual)
        return None

    def remark(self, lower: float) -> str:
        """Where this bound is what keeps one by a majorant above a lower one; "" if it is not known to."""
        if not self.dual > lower * _APART:
            return ""
        least = self.dual * (1 - 1e-4)
        return f"; no one majorant of A^T A - I for all differences gives less than {least:.4g}"

    def proves(self, A: np.ndarray) -> bool:
        """Whether it is proved a majorant for A (m, n) here and now."""
        loss = _loss(self.matrix, A)
        return loss is not None and loss <= self.pad

    def image(self, columns: np.ndarray) -> tuple[np.ndarray, float, float]:
        """H M for M = `columns` (b, n, p), at least ||H||_F, and at least ||H M - image||_F over ||M||_F.

        A product of n terms errs by gamma(n); half of what is counted is for `pencil`.
        """
        size = float(np.linalg.norm(self.matrix)) * (1 + 1e-9) + self.pad * len(self.matrix)
        return self.matrix @ columns, size, self.pad + rounding.gamma(2 * len(self.matrix) + 16) * size


def _loss(H: np.ndarray, A: np.ndarray) -> float | None:
    """A pad with H + pad I >= +-D; None where a Cholesky factorization of H + D or H - D fails.

    A^T A, computed, errs by ``rounding.gram_error`` of ||A||_F^2. Then -I and +-H round each entry twice: by
    u (2 |A^T A| + 2 I + |H|) and a little at most, here in Frobenius norms; 4 u leaves half of it. The
    factorization, which reads the lower triangle, loses ``rounding.cholesky_loss``. Squares that underflow
    lose far less than 4 u n. The last factor is for these sums, and for norms of up to 2^30 entries.
    """
    m, n = A.shape
    if not np.array_equal(H, H.T):  # nor is NaN
        return None
    gram = A.T @ A
    D = gram - np.eye(n)
    energy = float(np.sum(A * A))
    rounded = 4 * rounding.UNIT * (float(np.linalg.norm(H)) + energy + n)
    loss = rounding.gram_error(m, n) * energy + rounded
    worst = 0.0
    for shifted in (H + D, H - D):
        if not np.isfinite(shifted).all():
            return None
        try:
            np.linalg.cholesky(shifted)
        except np.linalg.LinAlgError:
            return None
        worst = max(worst, float(rounding.cholesky_loss(n, np.trace(shifted))))
    return (loss + worst) * (1 + 1e-6)


@dataclass(frozen=True, eq=False)
class AbsoluteValue:
    """|D| = I + V^T diag(w) V up to the pad: H +- D >= -pad I.

    A = U diag(sigma) V + E, so D = V^T diag(sigma^2) V - I + R. H + D - R has the weights
    |sigma^2 - 1| + sigma^2 - 1 >= 0; H - D + R = 2 I - V^T diag(2 min(1, sigma^2)) V >= 2 (1 - ||V||^2).

    The weights err by 3 u max(sigma^2, 1) < 8 u (top + 1)^2. The products err by gamma(m + n) of
    Frobenius norms, ||U||_F^2 and ||V||_F^2 <= 2 rank: less than `small` rank (top + 1). 1.01 is for
    what is relative: norms of fewer than 2^46 entries, and ten roundings.

    Attributes
    ----------
    rows : ndarray of shape (r, n)
    weights : ndarray of shape (r,)
    pad : float
    """

    rows: np.ndarray
    weights: np.ndarray
    pad: float

    def remark(self, lower: float) -> str:
        """Nothing: no bound on other majorants is looked for."""
        return ""

    @staticmethod
    def of(A: np.ndarray) -> AbsoluteValue:
        """That of D for A (m, n)."""
        u, sigma, v = np.linalg.svd(A, full_matrices=False)
        m, n = A.shape
        small = rounding.gamma(4 * (m + n) + 64)
        rank, top = len(sigma), float(sigma[0])
        rest = float(np.linalg.norm(A - (u * sigma) @ v)) + small * rank * (top + 1)
        skew_u = float(np.linalg.norm(u.T @ u - np.eye(rank))) + small * rank
        skew_v = float(np.linalg.norm(v @ v.T - np.eye(rank))) + small * rank
        off = (1 + skew_v) * top**2 * skew_u + 2 * rest * (top * (1 + skew_u) * (1 + skew_v) + rest) + rest**2
        return AbsoluteValue(v, np.abs(sigma**2 - 1) - 1,
                             (off + 2 * skew_v + 8 * rounding.UNIT * (top + 1) ** 2) * 1.01)

    def image(self, columns: np.ndarray) -> tuple[np.ndarray, float, float]:
        """As :meth:`Majorant.image`.

        ||H||_F <= sqrt(n) + ||V||^2 ||w||, and ||V||^2 <= 1 + skew_v < 1.01 (LAPACK). The products err by
        gamma(n + r + 2) max|w| ||V||_F^2, r = len(v), ||V||_F^2 <= 2 r: half of `loss`; half is pencil's.
        """
        v, weights = self.rows, self.weights
        n = v.shape[1]
        size = float(np.sqrt(n)) + float(np.linalg.norm(weights)) * 1.01
        loss = self.pad + rounding.gamma(4 * n + 64) * (1 + 2 * len(v) * float(np.abs(weights).max()))
        return columns + v.T @ (weights[:, None] * (v @ columns)), size, loss

    def dense(self) -> np.ndarray:
        """H as a matrix (n, n)."""
        found: np.ndarray = np.eye(self.rows.shape[1]) + (self.rows.T * self.weights) @ self.rows
        return found


Proved = Majorant | AbsoluteValue
"""What a search of upper bounds may use."""


def forms(H: np.ndarray, u: np.ndarray) -> np.ndarray:
    """u^T H u of shape (B,) for u (B, n)."""
    return np.asarray(np.einsum("bn,bn->b", u @ H, u))
