"""NumPy versions of the hot loops.

Batches of small symmetric matrices are kept as their lower triangles with the batch axis
last, (k(k+1)/2, B): every step of a factorization is then one operation on contiguous memory.
"""

from __future__ import annotations

import numpy as np

__all__ = ["cholesky_succeeds", "gram", "outer_products", "symmetric", "triangle"]


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
