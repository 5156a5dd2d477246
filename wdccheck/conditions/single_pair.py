"""One pair of directions of a gated Gram matrix: the top eigenvector, and its two terms with their errors."""

from __future__ import annotations

import math

import numpy as np

from wdccheck import matrices, rounding
from wdccheck.conditions.condition import Measured
from wdccheck.eigen import top_vector
from wdccheck.geometry import expected_apply, expected_gram, unit
from wdccheck.matrices import Rows

__all__ = ["maximizer", "terms"]

_SMALL = 512  # up to here a full eigendecomposition takes less than Lanczos on products


def maximizer(on: Rows, r: np.ndarray, s: np.ndarray, alpha: float) -> np.ndarray:
    """u of length 1 with the largest |u^T (on^T on - alpha Q_{r,s}) u|, as far as floats find it.

    Parameters
    ----------
    on : Rows of shape (m, k)
        The rows that are open at r and at s.
    r, s : ndarray of shape (k,)
    alpha : float
    """
    if len(r) <= _SMALL:
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
