"""Products of spheres: blocks of letters, sampling, great circles."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from wdccheck.geometry.expectation import unit

__all__ = [
    "Block", "join", "pieces", "sample", "split_block", "step",
    "unit_tangent",
]

Points = Mapping[str, np.ndarray]
"""Letters to arrays of shape (..., dim)."""

Block = tuple[str, ...]
"""One or two letters scaled jointly: ("r",), ("x1", "x2")."""


def sample(spheres: Mapping[Block, int], rng: np.random.Generator, n: int) -> dict[str, np.ndarray]:
    """`n` independent uniform points of the product, letters to arrays (n, dim)."""
    points: dict[str, np.ndarray] = {}
    for block, dimension in spheres.items():
        value = rng.standard_normal((n, dimension))
        norm = np.linalg.norm(value, axis=-1, keepdims=True)
        value[norm[:, 0] == 0] = 1.0
        points |= split_block(block, value / np.where(norm == 0, np.sqrt(dimension), norm))
    return points


def pieces(count: int, size: int) -> list[slice]:
    """A batch of `count` points cut into slices of at most `size`; one of an empty batch."""
    return [slice(start, start + size) for start in range(0, max(count, 1), size)]


def join(points: Mapping[str, np.ndarray], block: Block) -> np.ndarray:
    """The letters of `block` as one vector (..., dim), unit; 0 where all are 0. Any scale is safe."""
    return unit(np.concatenate([points[letter] for letter in block], axis=-1))


def split_block(block: Block, value: np.ndarray) -> dict[str, np.ndarray]:
    """Inverse of :func:`join`: equal shares of the last axis."""
    return dict(zip(block, np.split(value, len(block), axis=-1), strict=True))


def unit_tangent(base: np.ndarray, toward: np.ndarray) -> np.ndarray:
    """The unit tangent at unit `base` (..., k) in the plane of `base` and `toward`; 0 if none."""
    tangent = toward - np.sum(base * toward, axis=-1, keepdims=True) * base
    tangent -= np.sum(base * tangent, axis=-1, keepdims=True) * base
    norm = np.linalg.norm(tangent, axis=-1, keepdims=True)
    return np.divide(tangent, norm, out=np.zeros_like(tangent), where=norm > 0)


def step(base: np.ndarray, tangent: np.ndarray, angle: np.ndarray) -> np.ndarray:
    """``cos(angle) base + sin(angle) tangent``; base, tangent (B, k), angle (B,) in radians."""
    return np.cos(angle)[:, None] * base + np.sin(angle)[:, None] * tangent

