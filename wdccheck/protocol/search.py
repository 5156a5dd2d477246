"""Search."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["Frozen"]


@dataclass(frozen=True, eq=False)
class Frozen:
    """The inner maximizer at a batch of points.

    Attributes
    ----------
    u, v : ndarray of shape (B, k)
        Unit vectors; the same array where the deviation is that of a symmetric matrix.
    sign : ndarray of shape (B,)
        +1 where A exceeds its expectation along u, v; -1 where it falls short.
    value : ndarray of shape (B,)
        ``sign * u^T (A - E) v``: at most the deviation, equal to it up to the accuracy of
        the eigenvector.
    """

    u: np.ndarray
    v: np.ndarray
    sign: np.ndarray
    value: np.ndarray
