"""Tangents in which many gates open, or none: directions in which a search sets out."""

from __future__ import annotations

import numpy as np

from wdccheck.geometry.expectation import unit
from wdccheck.linalg import matrices

__all__ = ["off_walls", "soft_gradient"]


def soft_gradient(
    rows: matrices.Rows, along: np.ndarray, coefficients: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """A direction in which many gates of large coefficient open (B, k).

    ``t = sum_i c_i exp(-(w_i.r / sigma_i)^2 / 2) w_i``: the gradient of the gated sum with gates
    smoothed at a random width, over a random subset of the rows. `along` is w_i.r, (B, n).
    """
    spread = np.sqrt(np.mean(along**2, axis=-1, keepdims=True)) + 1e-300
    sigma = spread * 10.0 ** rng.uniform(-2.0, 0.5, (len(along), 1))
    weight = coefficients * np.exp(-0.5 * (along / sigma) ** 2)
    kept = rng.random(along.shape) < rng.uniform(0.3, 1.0, (len(along), 1))
    result: np.ndarray = (weight * kept) @ rows
    return result


def off_walls(
    rows: matrices.Rows, along: np.ndarray, toward: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """`toward` (B, k) projected off the few walls next to each point: the gates there stay.

    Along such a circle a point slides in the corner it has been driven to. The number of walls
    is random, at most k - 2. `along` is w_i.r, (B, n), for rows (n, k).
    """
    n, k = rows.shape
    most = min(k - 2, n - 1, _MOST_WALLS)
    if (count := int(rng.integers(0, max(most, 0) + 1))) == 0:
        return toward
    lengths = matrices.lengths(rows)
    distance = np.divide(np.abs(along), lengths, out=np.full_like(along, np.inf), where=lengths > 0)
    nearest = np.argpartition(distance, count, axis=-1)[:, :count]
    walls = unit(matrices.take(rows, nearest.ravel()).reshape(*nearest.shape, k))
    gram = walls @ walls.swapaxes(1, 2) + 1e-12 * np.eye(count)  # walls may depend on each other
    share = np.linalg.solve(gram, walls @ toward[:, :, None])
    result: np.ndarray = toward - (walls.swapaxes(1, 2) @ share)[:, :, 0]
    return result


_MOST_WALLS = 16
