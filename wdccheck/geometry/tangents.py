"""Tangents in which many gates open, or none: directions in which a search sets out."""

from __future__ import annotations

import numpy as np

from wdccheck.geometry.expectation import unit
from wdccheck.linalg import matrices

__all__ = ["along_edges", "off_walls", "soft_gradient"]


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
    return _projected(rows, _nearest(rows, along, count), toward)


def along_edges(
    rows: matrices.Rows, along: np.ndarray, toward: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """`toward` (B, k) projected off k - 2 of the k - 1 walls next to each point.

    At a vertex of the arrangement, where climbs in low dimension end up, these are the circles of its
    edges, each of them as often as the others. `along` is w_i.r, (B, n), for rows (n, k).
    """
    n, k = rows.shape
    if (count := min(k - 2, n - 1)) < 1:
        return toward
    nearest, member = _nearest(rows, along, count + 1), np.arange(len(along))
    left_out = rng.integers(count + 1, size=len(along))
    nearest[member, left_out] = nearest[:, count]
    return _projected(rows, nearest[:, :count], toward)


def _nearest(rows: matrices.Rows, along: np.ndarray, count: int) -> np.ndarray:
    """Indices (B, count) of the walls next to each point."""
    lengths = matrices.lengths(rows)
    distance = np.divide(np.abs(along), lengths, out=np.full_like(along, np.inf), where=lengths > 0)
    return np.argpartition(distance, min(count, len(lengths) - 1), axis=-1)[:, :count]


def _projected(rows: matrices.Rows, chosen: np.ndarray, toward: np.ndarray) -> np.ndarray:
    """`toward` (B, k) off the chosen walls (B, count)."""
    walls = unit(matrices.take(rows, chosen.ravel()).reshape(*chosen.shape, rows.shape[1]))
    gram = walls @ walls.swapaxes(1, 2) + 1e-12 * np.eye(chosen.shape[1])  # walls may depend on each other
    share = np.linalg.solve(gram, walls @ toward[:, :, None])
    result: np.ndarray = toward - (walls.swapaxes(1, 2) @ share)[:, :, 0]
    return result


_MOST_WALLS = 16
