"""The inner maximizer of every gated condition: extreme eigenpairs of A - scale Q at a batch of points."""

from __future__ import annotations

import numpy as np

from wdccheck import _kernels
from wdccheck.eigen import extreme_of, extreme_pairs
from wdccheck.geometry import expected_apply, expected_gram

__all__ = ["extremes"]

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
    >>> from wdccheck.extremes import extremes
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
    if dense and _kernels.extremes is not None:
        return _kernels.extremes(rows, weights, scale, r, s, first, int(sign or 0))
    if dense:
        difference = _kernels.gram(rows, outer, weights)
        difference -= scale[:, None, None] * expected_gram(r, s)
        return extreme_of(*np.linalg.eigh(difference), sign)

    def product(x: np.ndarray) -> np.ndarray:
        gated = ((x @ rows.T) * weights) @ rows
        return gated - scale[:, None] * expected_apply(r, s, x)

    return extreme_pairs(product, first, steps, sign)
