r"""Outward rounding and exact signs, with the proof of every constant.

Model: IEEE double precision, u = 2**-53, round to nearest, no extended registers; every
sum or product of n terms in *any* order (BLAS, pairwise, FMA or not) satisfies
|fl(x.y) - x.y| <= gamma(n) |x|.|y| with gamma(n) = n u / (1 - n u), plus at most n
times the smallest subnormal where products underflow (Higham, *Accuracy and Stability of
Numerical Algorithms*, 2nd ed., section 3.1 and Lemma 8.2).

One thing is assumed, not proved: ``arctan2``, ``arcsin``, ``sin``, ``cos`` and ``tan`` of the platform err by
less than ``LIBM_ULPS`` = 4 units in the last place. The tests check it in multiple precision.
"""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np

from wdccheck.linalg import matrices
from wdccheck.linalg.matrices import Rows

__all__ = [
    "LIBM_ULPS", "UNIT", "cholesky_loss", "common_gates", "expectation_error", "gamma", "gate_error",
    "gram_error", "integers", "open_gates", "product_errors", "round_down", "round_up",
]

UNIT = 2.0**-53
"""u, the unit roundoff of float64."""

LIBM_ULPS = 4
"""Assumed accuracy of the platform's arctan2, arcsin, sin, cos and tan, in units in the last place."""

_ENTRIES = 2**16  # made integers in one go
_TINY = 2.0**-1074


def gamma(n: int) -> float:
    """gamma(n) = n u / (1 - n u), rounded up.

    n u is exact for n < 2**53; two roundings follow, each below a relative u, so one factor
    1 + 4u covers them.
    """
    nu = n * UNIT
    return nu / (1.0 - nu) * (1.0 + 4 * UNIT)


def round_up(value: float, steps: int = 1) -> float:
    """The float `steps` above `value`."""
    for _ in range(steps):
        value = math.nextafter(value, math.inf)
    return value


def round_down(value: float, steps: int = 1) -> float:
    """The float `steps` below `value`, never below 0, as no deviation is."""
    for _ in range(steps):
        value = math.nextafter(value, -math.inf)
    return max(value, 0.0)


def gate_error(rows: Rows, sums: np.ndarray | None = None, *, updates: int = 0) -> np.ndarray:
    """For rows (m, k): e (m,) such that |fl(w.c -+ |w|.h) - exact| < e if |c_j|, h_j <= 1.

    w.c and |w|.h err by gamma(k) ||w||_1 each, their sum by one more u times at most
    2 ||w||_1 (1 + gamma(k)); gamma(2k + 4) ||w||_1 bounds the total, and 2 k subnormals its
    underflow. ||w||_1 is computed with relative error gamma(k) from below: gamma(4k + 8) in
    place of gamma(2k + 4) covers that too, as (1 - gamma(k)) gamma(4k + 8) > gamma(2k + 4)
    for k < 2**50.

    `updates` counts the additions of +-w_j 2^-p to the first and of -|w_j| 2^-p to the second product
    while c and h change but remain in [-1, 1]. The terms are exact but for underflow, every sum stays
    within ||w||_1 (1 + gamma(k + updates)), so each adds u of that to either error: gamma(2 updates)
    in total, doubled as above, and two subnormals.
    """
    k = rows.shape[-1]
    sums = matrices.absolute_sums(rows) if sums is None else sums
    error: np.ndarray = gamma(4 * (k + updates) + 8) * sums + 4 * (k + updates) * _TINY
    return error


def gram_error(n: int, k: int) -> float:
    """c such that a weighted Gram matrix of n rows errs by at most c * sum_l weight_l ||w_l||^2.

    Entry (a, b) is a sum over n rows of weight * (w_a w_b), each product rounded twice, with
    weights that are exact or sums of squared ratios over the rows of a line; those additions and
    the ones over the lines are n at most, and seven more roundings come with each term: at
    most gamma(n + k + 8) sum_l weight_l |w_la||w_lb| (Higham Lemma 3.3). The spectral norm of
    a matrix is at most that of its entrywise bound, and sum_l weight_l |w_l||w_l|^T has norm
    at most sum_l weight_l ||w_l||^2. A factor 2 covers the rounding of that sum itself.
    """
    return 2 * gamma(n + k + 8)


def expectation_error(k: int) -> float:
    """c such that the computed Q_{r,s} errs by at most c in spectral norm.

    Unit vectors err by (k/2 + 3) u relatively. theta = 2 atan2(|r - s|, |r + s|): both
    lengths err absolutely by (k + 8) u, and (|r - s|, |r + s|) has length 2, so theta errs by
    at most 2 (k + 8) u plus 8 LIBM_ULPS u; hence the coefficients (pi - theta)/2pi and sin(theta)/2pi
    err by less than (k + 8 + 4 LIBM_ULPS) u / 2 each. b = unit(r + s) errs by 2 (k + 8) u / |r + s|
    and enters with weight sin(theta) = |r + s||r - s|/2 <= |r + s|; the same for d with
    |r - s|: together at most 8 (k + 8) u / 2pi. Where the two vectors coincide or are
    opposite sin(theta) vanishes, and with it the weight. Entries add k u at most.
    4 (k + 8 + 4 LIBM_ULPS) u bounds the sum of all.
    """
    return 4 * (k + 8 + 4 * LIBM_ULPS) * UNIT


def cholesky_loss(k: int, trace: np.ndarray) -> np.ndarray:
    """c >= 0 such that a float Cholesky of S that runs to its end proves S + c I >= 0.

    The computed factor satisfies R^T R = S + E, |E| <= gamma(k + 1) |R^T||R| (Higham Thm. 10.3).
    || |R^T||R| ||_2 <= trace(R^T R) = sum_j ||R_j||^2, and the diagonal of the identity gives
    ||R_j||^2 <= s_jj / (1 - gamma(k + 1)). So ||E||_2 <= gamma(k+1)/(1 - gamma(k+1)) trace(S)
    and S + ||E||_2 I is a sum of R^T R and a positive semidefinite matrix. gamma(2k + 8) covers
    the quotient and the rounding of the trace.
    """
    loss: np.ndarray = gamma(2 * k + 8) * np.maximum(trace, 0.0) + k * _TINY
    return loss


def open_gates(rows: Rows, points: np.ndarray, sums: np.ndarray | None = None) -> np.ndarray:
    """1[w.r > 0] by exact sign of the stored floats.

    The float product decides wherever it is finite and exceeds its error bound
    gamma(k) ||w||_1 max|r_j| + k 2^-1074; the others are decided in integers. Neither
    norm squares an entry, so no length of w or r makes the bound underflow.

    Parameters
    ----------
    rows : Rows of shape (n, k)
    points : ndarray of shape (..., k)
        Finite, of any length.
    sums : ndarray of shape (n,), optional
        ``matrices.absolute_sums(rows)``, where they are at hand.

    Returns
    -------
    ndarray of bool, shape (..., n)
    """
    n, k = rows.shape
    flat = points.reshape(-1, k)
    sums = matrices.absolute_sums(rows) if sums is None else sums
    with np.errstate(over="ignore", invalid="ignore"):  # whatever overflows is unsure
        product = flat @ rows.T
        bound = np.outer(np.abs(flat).max(axis=1), sums)
        sure = np.isfinite(product) & (np.abs(product) > gamma(2 * k + 8) * bound + 4 * k * _TINY)
    unsure = ~sure & (sums > 0)
    gates: np.ndarray = product > 0
    few = max(1, _ENTRIES // k)
    for b in np.flatnonzero(unsure.any(axis=1)):
        chosen, point = np.flatnonzero(unsure[b]), integers(flat[b])[0]
        for some in (chosen[start: start + few] for start in range(0, len(chosen), few)):
            gates[b, some] = integers(matrices.take(rows, some))[0] @ point > 0
    return gates.reshape(*points.shape[:-1], n)


def product_errors(rows: Rows, sums: np.ndarray | None = None) -> np.ndarray:
    """Twice the error (n,) of a product with a vector of entries up to 1; -1 for rows that are 0."""
    sums = matrices.absolute_sums(rows) if sums is None else sums
    return np.where(sums > 0, 2 * gate_error(rows, sums), -1.0)


def common_gates(
    rows: Rows, errors: np.ndarray, letters: tuple[np.ndarray, ...]
) -> tuple[np.ndarray, np.ndarray]:
    """Gates (B, n) open for every letter (B, k), in floats; whether all exceed rounding, (B,).

    `errors` are :func:`product_errors`.
    """
    gates, sure = np.ones((len(letters[0]), len(errors)), dtype=bool), np.ones(len(letters[0]), dtype=bool)
    for x in letters:
        product = x @ rows.T
        gates &= product > 0
        sure &= (np.abs(product) > errors * np.abs(x).max(axis=1, keepdims=True)).all(axis=1)
    return gates, sure


def integers(array: np.ndarray) -> tuple[np.ndarray, int]:
    """`array` times a power of two that makes all entries integers, which are exact, and that power."""
    part, power = np.frexp(array)
    whole, power = np.ldexp(part, 53).astype(np.int64), power.astype(np.int64) - 53  # whole * 2**power
    lowest = power + np.frexp((whole & -whole).astype(np.float64))[1] - 1  # of the last bit that is set
    common = max(0, -int(lowest[whole != 0].min(initial=0)))
    shift = np.where(whole != 0, power + common, 0)
    whole = whole >> np.maximum(-shift, 0)  # zeros alone are lost
    return whole.astype(object) << np.maximum(shift, 0).astype(object), 1 << common


def rounded_up(exact: Fraction) -> float:
    """A float at least `exact`."""
    nearest = float(exact)
    return nearest if nearest >= exact else math.nextafter(nearest, math.inf)
