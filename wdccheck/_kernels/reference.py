"""NumPy versions of the hot loops.

Batches of small symmetric matrices are kept as their lower triangles with the batch axis
last, (k(k+1)/2, B): every step of a factorization is then one operation on contiguous memory.
"""

from __future__ import annotations

import numpy as np

from wdccheck.linalg import rounding

__all__ = [
    "cholesky_succeeds", "expected_triangle", "gram", "in_order", "outer_products", "radius", "semidefinite",
    "symmetric", "triangle",
]


def triangle(k: int) -> tuple[np.ndarray, np.ndarray]:
    """Row and column indices of the lower triangle, row by row."""
    return np.tril_indices(k)


def outer_products(rows: np.ndarray) -> np.ndarray:
    """Lower triangles of w w^T for rows (m, k): shape (k(k+1)/2, m)."""
    a, b = triangle(rows.shape[1])
    return np.ascontiguousarray((rows[:, a] * rows[:, b]).T)


def symmetric(packed: np.ndarray, k: int) -> np.ndarray:
    """Packed lower triangles (k(k+1)/2, B) as full matrices (B, k, k)."""
    a, b = triangle(k)
    full = np.empty((packed.shape[1], k, k))
    full[:, a, b] = packed.T
    full[:, b, a] = packed.T
    return full


def gram(rows: np.ndarray, outer: np.ndarray | None, weights: np.ndarray) -> np.ndarray:
    """sum_l weights[b, l] w_l w_l^T for rows (m, k), weights (B, m): shape (B, k, k).

    `outer` are the precomputed :func:`outer_products`, or None for large layers, which are
    then done one at a time without them.
    """
    k = rows.shape[1]
    if outer is not None:
        return symmetric(outer @ weights.T.astype(np.float64), k)
    result = np.empty((len(weights), k, k))
    for b, weight in enumerate(weights):
        chosen = np.flatnonzero(weight)
        active = rows[chosen]
        result[b] = active.T @ (active * weight[chosen, None])
    return result


def cholesky_succeeds(packed: np.ndarray, k: int) -> np.ndarray:
    """Whether the Cholesky factorization of each packed matrix runs to its end.

    `packed` (k(k+1)/2, B) is overwritten. NaN anywhere in a matrix fails it.
    """
    at = [[i * (i + 1) // 2 + j for j in range(i + 1)] for i in range(k)]
    good = np.ones(packed.shape[1], dtype=bool)
    with np.errstate(invalid="ignore", over="ignore"):
        for j in range(k):
            pivot = packed[at[j][j]]
            for p in range(j):
                pivot -= packed[at[j][p]] ** 2
            good &= pivot > 0
            root = np.sqrt(np.where(good, pivot, 1.0))
            for i in range(j + 1, k):
                entry = packed[at[i][j]]
                for p in range(j):
                    entry -= packed[at[i][p]] * packed[at[j][p]]
                entry /= root
    return good


def in_order(terms: np.ndarray) -> np.ndarray:
    """Sums over the last axis, term by term: rounded as the compiled loops do."""
    return np.add.accumulate(terms, axis=-1)[..., -1] if terms.shape[-1] else np.sum(terms, axis=-1)


def semidefinite(shift: np.ndarray, packed: np.ndarray, t: float) -> np.ndarray:
    """Boolean (B,): shift I + packed >= 0, proved. `packed` may carry two roundings per entry.

    Let m be the largest of |t|, |shift|, the entries of |packed|, and 1. An entry of `packed`
    errs by 4 u m: what is subtracted last is at most 2. `shift` is t less two numbers, each such that
    no partial result exceeds |t| + |shift| + 4 (slack, floor and ceiling are at most 2, the pad less):
    2 u (2 m + 4). Lowering it adds 2 u (2 m), adding it to the diagonal u (2 m). Together less than
    23 u m per entry, 23 k u m in spectral norm. The matrix handed to Cholesky is lowered by 32 k u m and by
    its own loss.
    """
    k = int((np.sqrt(8 * len(packed) + 1) - 1) / 2)
    diagonal = [i * (i + 3) // 2 for i in range(k)]
    largest = np.abs(shift) + np.max(np.abs(packed), axis=0, initial=0.0) + abs(t) + 1.0
    trace = packed[diagonal].sum(axis=0) + k * np.abs(shift)
    lowered = shift - rounding.cholesky_loss(k, trace) - 32 * k * rounding.UNIT * largest
    matrix = packed.copy()
    matrix[diagonal] += lowered
    return cholesky_succeeds(matrix, k)


def expected_triangle(r: np.ndarray, s: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Q_{r,s} as lower triangles with the batch axis last, and theta.

    Parameters
    ----------
    r, s : ndarray of shape (k, B), nonzero

    Returns
    -------
    q : ndarray of shape (k(k+1)/2, B)
    theta : ndarray of shape (B,)
    """
    r, s = r / np.sqrt(np.sum(r * r, axis=0)), s / np.sqrt(np.sum(s * s, axis=0))
    b, d = r + s, r - s
    b_norm, d_norm = np.sqrt(np.sum(b * b, axis=0)), np.sqrt(np.sum(d * d, axis=0))
    theta = 2 * np.arctan2(d_norm, b_norm)
    b, d = b / np.where(b_norm > 0, b_norm, 1.0), d / np.where(d_norm > 0, d_norm, 1.0)
    i, j = np.tril_indices(len(r))
    q = np.sin(theta) * (b[i] * b[j] - d[i] * d[j])
    q[i == j] += np.pi - theta
    return q / (2 * np.pi), theta


def radius(center: np.ndarray, half: np.ndarray) -> np.ndarray:
    """An angle (B,) that no direction of a box makes with its center; center and half (k, B).

    The box lies in the ball of radius ||h|| about c, and the directions of a ball of radius
    q < ||c|| lie within asin(q / ||c||) of c. Otherwise pi. The quotient errs relatively by
    less than gamma(k + 6); for x <= 0.9 its asin then errs by less than 4 gamma(k + 6) and
    LIBM_ULPS; the factor 1 + 64 (k + 8) u covers both, as x/(sqrt(1 - x^2) asin x) < 4. Above 0.9,
    pi/2 is used up to 1 - 1e-9, where the exact quotient is below 1; as for pi, more than its rounding is
    added.
    """
    q = np.sqrt(np.sum(half * half, axis=0) / np.sum(center * center, axis=0))
    inside = np.arcsin(np.minimum(q, 0.9)) * (1 + 64 * (len(center) + 8) * rounding.UNIT)
    angle = np.where(q <= 0.9, inside, np.where(q < 1 - 1e-9, np.pi / 2 + 1e-9, 4.0))
    return np.minimum(angle, np.nextafter(np.pi, 4.0))
