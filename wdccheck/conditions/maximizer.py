"""The inner maximizer of every gated condition: extreme eigenpairs of A - scale Q.

:func:`extremes` at a batch of points, for searches; :func:`maximizer` and :func:`terms` at one, with errors.
"""

from __future__ import annotations

import math
from functools import partial

import numpy as np

from wdccheck import _kernels
from wdccheck.geometry.expectation import expected_apply, expected_gram, unit
from wdccheck.linalg import matrices, rounding
from wdccheck.linalg.lanczos import SMALL, extreme_of, extreme_pairs, top_vector
from wdccheck.linalg.matrices import Rows
from wdccheck.protocol.condition import Measured

__all__ = ["extremes", "maximizer", "terms"]

_DENSE = 40  # up to here a k x k matrix per pair is cheaper than Lanczos on products
_COLD, _WARM = 8, 3  # Lanczos steps


def extremes(
    rows: np.ndarray, outer: np.ndarray | None, weights: np.ndarray, scale: np.ndarray,
    letters: tuple[np.ndarray, np.ndarray], near: np.ndarray | None = None, sign: float | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Extreme eigenpairs of sum_i weights_i w_i w_i^T - scale Q_{r,s}.

    Parameters
    ----------
    rows : ndarray of shape (n, k)
    outer : ndarray or None
        ``_kernels.tabulated(rows)``.
    weights : ndarray of shape (B, n)
    scale : ndarray of shape (B,)
    letters : tuple of ndarray of shape (B, k)
        r and s, unit vectors.
    near : ndarray of shape (B, k), optional
        Where u is expected, zeros where it is not known; used where k is large.
    sign : float, optional
        +1: the largest eigenvalue; -1: the smallest; None: the one of larger magnitude.

    Returns
    -------
    u : ndarray of shape (B, k)
        Unit vectors.
    value : ndarray of shape (B,)
        u^T (A - scale Q) u up to rounding: the eigenvalue where k is at most 40, else as near to it as
        a few steps of Lanczos come.

    Examples
    --------
    >>> import numpy as np
    >>> from wdccheck.conditions.maximizer import extremes
    >>> e = np.array([[1.0, 0.0]])
    >>> _, value = extremes(np.eye(2), None, np.ones((1, 2)), np.ones(1), (e, e))
    >>> float(value[0])
    0.5
    """
    r, s = letters
    dense = rows.shape[1] <= _DENSE  # beyond, BLAS on a whole batch is as fast as compiled loops
    first, steps = (r - s) + 0.1 * r, _COLD
    if near is not None:
        idle = ~near.any(axis=1, keepdims=True)
        first, steps = np.where(idle, first, near), _COLD if idle.all() else _WARM
    if dense:
        found = _kernels.chosen("extremes", partial(_dense, outer))
        return found(rows, weights, scale, r, s, first, int(sign or 0))

    def product(x: np.ndarray) -> np.ndarray:
        gated = ((x @ rows.T) * weights) @ rows
        return gated - scale[:, None] * expected_apply(r, s, x)

    return extreme_pairs(product, first, steps, sign)


def _dense(
    outer: np.ndarray | None, rows: np.ndarray, weights: np.ndarray, scale: np.ndarray, r: np.ndarray,
    s: np.ndarray, first: np.ndarray, sign: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Extreme eigenpairs by eigendecompositions; sign 0: the eigenvalue of larger magnitude."""
    difference = _kernels.gram(rows, outer, weights)
    difference -= scale[:, None, None] * expected_gram(r, s)
    return extreme_of(*np.linalg.eigh(difference), sign or None)


def maximizer(on: Rows, r: np.ndarray, s: np.ndarray, alpha: float) -> np.ndarray:
    """u of length 1 with the largest |u^T (on^T on - alpha Q_{r,s}) u|, as far as floats find it.

    Parameters
    ----------
    on : Rows of shape (m, k)
        The rows that are open at r and at s.
    r, s : ndarray of shape (k,)
    alpha : float
    """
    if len(r) <= SMALL:
        values, basis = np.linalg.eigh(matrices.gram(on) - alpha * expected_gram(r, s))
        return basis[:, int(np.argmax(np.abs(values)))]
    r, s = unit(r), unit(s)
    return top_vector(lambda x: (on @ x) @ on - alpha * expected_apply(r, s, x), len(r))


def terms(on: Rows, r: np.ndarray, s: np.ndarray, u: np.ndarray, exponent: int) -> Measured:
    """u^T A u and u^T Q u over u.u with their errors, A = on^T on times 2**exponent; r, s, u (k,).

    d_i = w_i.u errs by e_i = gamma(k) |w_i|.|u|, so the sum of d_i^2 over the open rows errs by
    the sum of 2 |d_i| e_i + e_i^2, and each square by u; the sums are exact (fsum). Underflow
    adds at most k 2^-1074 to e_i and 4 2^-1074 to a square and its error. u.u errs by gamma(k).

    Q u is ((pi - theta) u + sin(theta) (b (b.u) - d (d.u))) / 2 pi. Lengths, angle, b and d err like those of
    expected_gram, but r and s have been rounded to unit length twice: 2 rounding.expectation_error.
    The products b.u and d.u err by gamma(k) ||u||, their multiples and the sums by 8 u more, the last product
    by gamma(k) ||u|| ||Q u||, and ||Q|| <= 1/2: together 2 gamma(k + 8) u.u.
    """
    k, tiny = len(u), math.ulp(0.0)
    d, e = on @ u, rounding.gamma(k + 4) * (abs(on) @ np.abs(u)) + k * tiny
    uu, uu_error = float(u @ u), 4 * rounding.gamma(k + 4)
    gram = math.fsum(d * d) / uu
    gram_error = math.fsum(2 * np.abs(d) * e + e * e + 4 * tiny) / uu
    gram_error += (uu_error + 4 * rounding.UNIT) * gram
    expectation = float(u @ expected_apply(unit(r), unit(s), u)) / uu
    expectation_error = 2 * rounding.expectation_error(k) + 2 * rounding.gamma(k + 8) + uu_error
    return Measured(math.ldexp(gram, exponent), math.ldexp(gram_error * (1 + 1e-9), exponent),
                    expectation, expectation_error * (1 + 1e-9))
