"""Rows of cone constraints and columns of spans: over more columns, next to each other, one a coordinate."""

from __future__ import annotations

import numpy as np

__all__ = ["coordinates", "joined_cones", "widened"]


def widened(rows: np.ndarray, width: int) -> np.ndarray:
    """Rows (b, c, q) over more columns, which they do not touch."""
    return np.pad(rows, ((0, 0), (0, 0), (0, width - rows.shape[2])))


def joined_cones(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Rows (b, c, p) and (b, d, q) as those of the pair of vectors: (b, c + d, p + q)."""
    return np.concatenate([np.pad(first, ((0, 0), (0, 0), (0, second.shape[2]))),
                           np.pad(second, ((0, 0), (0, 0), (first.shape[2], 0)))], axis=1)


def coordinates(mask: np.ndarray) -> np.ndarray:
    """One unit vector for every True of mask (b, n): (b, n, q), 0 where a row has fewer than q."""
    most = int(mask.sum(axis=1).max(initial=0))
    index = np.argsort(~mask, axis=1, kind="stable")[:, :most]
    result = np.zeros((*mask.shape, most))
    rows, places = np.arange(len(mask))[:, None], np.arange(most)[None, :]
    result[rows, index, places] = np.take_along_axis(mask, index, axis=1)
    return result
