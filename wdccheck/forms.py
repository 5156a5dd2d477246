"""What a condition says about a region: plain data, batched over the regions.

A relaxation looks only at these; it never learns which condition they came from.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["Gated", "Sandwich"]


@dataclass(frozen=True, eq=False)
class Sandwich:
    """The deviation is ``||A - E||_2`` for symmetric A and E caught between matrices.

    A condition that gives several forms of a region claims the two bounds below for the largest of
    them only; a condition that gives one claims, for every point of region b::

        low[b] - pad[b] I <= A <= high[b] + pad[b] I
        ||E - mean[b]||_2 <= slack[b]
        floor[b] I <= E <= ceiling[b] I

    in the order of symmetric matrices, rounding included, so that (Fact 10)

        lambda_max(A - E) <= min(lambda_max(high - mean) + slack, lambda_max(high) - floor) + pad
        lambda_max(E - A) <= min(lambda_max(mean - low) + slack, ceiling - lambda_min(low)) + pad

    Attributes
    ----------
    low, high, mean : ndarray of shape (k(k+1)/2, B)
        Lower triangles, row by row, batch axis last.
    slack, floor, ceiling, pad : ndarray of shape (B,)
    scale : float
        A power of two: the deviation is scale times that norm.
    """

    low: np.ndarray
    high: np.ndarray
    mean: np.ndarray
    slack: np.ndarray
    floor: np.ndarray
    ceiling: np.ndarray
    pad: np.ndarray
    scale: float = 1.0

    def __len__(self) -> int:
        return len(self.slack)


@dataclass(frozen=True, eq=False)
class Gated:
    """A gated sum as data, so that an engine can prove a subtree without calling back.

    ``A(points) = sum_l c_l d_l d_l^T`` where c_l is ``positive[l]`` if every gate letter x has
    ``d_l . x > 0``, ``negative[l]`` if every one has ``d_l . x < 0``, and 0 otherwise; the
    deviation is ``scale * ||A - alpha Q||_2``.

    Attributes
    ----------
    rows : ndarray of shape (m, k)
        One direction d_l per line.
    positive, negative : ndarray of shape (m,)
    letters : tuple of str
    alpha, scale : float
    """

    rows: np.ndarray
    positive: np.ndarray
    negative: np.ndarray
    letters: tuple[str, ...]
    alpha: float
    scale: float
