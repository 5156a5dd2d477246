"""Extreme eigenpairs of a batch of symmetric operators, by Lanczos: for searches, nothing is proved."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

__all__ = ["SMALL", "extreme_of", "extreme_pairs", "top_vector"]

SMALL = 512
"""Columns up to which another k x k matrix costs little."""


def extreme_pairs(
    product: Callable[[np.ndarray], np.ndarray], first: np.ndarray, steps: int, sign: float | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Extreme Ritz pair of B symmetric operators, from B starting vectors.

    Parameters
    ----------
    product : callable
        (B, k) to (B, k): one product with each operator.
    first : ndarray of shape (B, k)
    steps : int
        Dimension of the Krylov spaces; the Ritz value is no worse than that of `first`.
    sign : float, optional
        +1: the largest value; -1: the smallest; None: the one of larger magnitude.

    Returns
    -------
    u : ndarray of shape (B, k)
        Unit vectors.
    value : ndarray of shape (B,)
        Up to rounding, u^T product(u): never larger in magnitude than the spectral norm.
    """
    batch, k = first.shape
    steps = min(steps, k)
    basis = np.zeros((steps, batch, k))
    images = np.zeros((steps, batch, k))
    vector, size = _normalized(first), np.zeros(batch)
    for j in range(steps):
        basis[j] = vector
        images[j] = product(vector)
        rest = _orthogonal(images[j], basis[: j + 1])
        length = np.linalg.norm(rest, axis=1)
        size = np.maximum(size, np.abs(np.einsum("bk,bk->b", vector, images[j])) + length)
        ended = np.flatnonzero(~(length > 1e-13 * size)) if j + 1 < steps else ()
        if len(ended):  # an invariant space: go on outside it, as what is left is noise
            rest[ended] = _fresh(basis[: j + 1, ended])
        vector = _normalized(rest)
    small = np.einsum("ibk,jbk->bij", basis, images)
    values, vectors = np.linalg.eigh((small + small.swapaxes(1, 2)) / 2)
    inner, value = extreme_of(values, vectors, sign)
    return _normalized(np.einsum("jbk,bj->bk", basis, inner)), value


def extreme_of(
    values: np.ndarray, vectors: np.ndarray, sign: float | None
) -> tuple[np.ndarray, np.ndarray]:
    """From the result of eigh, (B, k) and (B, k, k), the largest pair (sign 1), the smallest
    (sign -1), or that of larger magnitude (None).
    """
    larger = np.where(-values[:, 0] > values[:, -1], 0, -1)
    top = larger if sign is None else np.full(len(values), -1 if sign > 0 else 0)
    index = np.arange(len(values))
    return vectors[index, :, top], values[index, top]


def _orthogonal(x: np.ndarray, basis: np.ndarray) -> np.ndarray:
    """x (B, k) less its components along j orthonormal vectors each, (j, B, k)."""
    for _ in range(2):  # twice is enough
        x = x - np.einsum("jbk,jb->bk", basis, np.einsum("jbk,bk->jb", basis, x))
    return x


def _fresh(basis: np.ndarray) -> np.ndarray:
    """Vectors (B, k) orthogonal to the basis: from the coordinate directions that are farthest from it."""
    directions = np.eye(basis.shape[2])[np.argmin(np.sum(basis**2, axis=0), axis=1)]
    return _orthogonal(directions, basis)


def _normalized(x: np.ndarray) -> np.ndarray:
    norm = np.linalg.norm(x, axis=-1, keepdims=True)
    return np.divide(x, norm, out=np.zeros_like(x), where=norm > 1e-300)


def top_vector(product: Callable[[np.ndarray], np.ndarray], k: int) -> np.ndarray:
    """Unit eigenvector (k,) of the eigenvalue of largest magnitude of a symmetric operator on R^k.

    Lanczos with full orthogonalization from a fixed vector, until the residual is below 1e-11 of the
    Ritz value. Nothing is proved of it: callers evaluate its Rayleigh quotient.
    """
    u = _normalized(np.random.default_rng(0).standard_normal(k))
    for _ in range(_RESTARTS):
        u, converged = _lanczos(product, u, min(k, _STEPS))
        if converged:
            break
    return u


_STEPS, _RESTARTS = 300, 4


def _lanczos(
    product: Callable[[np.ndarray], np.ndarray], first: np.ndarray, steps: int
) -> tuple[np.ndarray, bool]:
    basis, small = np.zeros((steps, len(first))), np.zeros((steps, steps))
    vector = first
    for j in range(steps):
        basis[j] = vector
        image = product(vector)
        small[j, : j + 1] = small[: j + 1, j] = basis[: j + 1] @ image
        for _ in range(2):  # twice is enough
            image = image - (basis[: j + 1] @ image) @ basis[: j + 1]
        rest = float(np.linalg.norm(image))
        if (j + 1) % 10 == 0 or j + 1 == steps or rest <= 1e-14 * np.abs(small[j, j]):
            values, vectors = np.linalg.eigh(small[: j + 1, : j + 1])
            top = int(np.argmax(np.abs(values)))
            if rest * abs(vectors[-1, top]) <= 1e-11 * abs(values[top]) or rest == 0:
                break
        vector = image / rest
    else:
        return _normalized(vectors[:, top] @ basis), False
    return _normalized(vectors[:, top] @ basis[: j + 1]), True

