"""Simplicial cones in blocks, each with a binary tree, for the proof on all pairs of them (Fact 25)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from wdccheck._kernels import Block

__all__ = ["BLOCK", "blocks_of"]

BLOCK = 256
"""Cones of a block, at most."""

_COORDINATES = 16
"""Principal coordinates of the cones by which they are halved."""

_LOST = 2.0**-44
"""What the least number of a cone is lowered by for its rounding: it comes from numbers up to about 1."""


def blocks_of(
    vectors: np.ndarray, moved: np.ndarray, scale: np.ndarray, pad: float, simplices: np.ndarray
) -> list[tuple[np.ndarray, Block]]:
    """The blocks, each with the numbers of its cones.

    Parameters
    ----------
    vectors, moved : ndarray of shape (R, n)
        v and Qv of each ray, v^T Q v about 1.
    scale : ndarray of shape (R,)
        d: v_i^T Q v_j errs by at most ``pad d_i d_j``.
    pad : float
    simplices : ndarray of int, shape (S, k)
        The rays of each cone; -1 where there are fewer.
    """
    if not len(simplices):
        return []
    order = _halved(_middles(vectors, simplices))
    parts = [order]
    while max(map(len, parts)) > BLOCK:
        parts = [half for part in parts for half in np.split(part, [len(part) // 2]) if len(half)]
    shapes = {size: _Shape.of(size) for size in {len(part) for part in parts}}
    return [(part, _block(vectors, moved, scale, pad, simplices[part], shapes[len(part)])) for part in parts]


def _middles(vectors: np.ndarray, simplices: np.ndarray) -> np.ndarray:
    """A direction inside every cone, in principal coordinates: (S, c)."""
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    units = np.concatenate([vectors / length, np.zeros((1, vectors.shape[1]))])  # the last one for -1
    _, axes = np.linalg.eigh(units.T @ units)
    middle = (units @ axes[:, ::-1][:, :_COORDINATES])[simplices].sum(axis=1)
    size = np.linalg.norm(middle, axis=1, keepdims=True)
    return np.divide(middle, size, out=np.zeros_like(middle), where=size > 0)


def _halved(points: np.ndarray) -> np.ndarray:
    """The order (S,) of points (S, c) that are halved across the coordinate that varies most, and the halves
    again, down to single points. The first half of m points has m // 2.
    """
    order, starts = np.arange(len(points)), np.array([0])
    while True:
        sizes = np.diff(starts, append=len(points))
        if sizes.max(initial=0) < 2:
            return order
        own = points[order]
        mean = np.add.reduceat(own, starts) / sizes[:, None]
        spread = np.add.reduceat((own - np.repeat(mean, sizes, axis=0)) ** 2, starts)
        axis = np.repeat(np.argmax(spread, axis=1), sizes)
        group = np.repeat(np.arange(len(starts)), sizes)
        order = order[np.lexsort((own[np.arange(len(own)), axis], group))]
        starts = np.unique(np.concatenate([starts, starts + sizes // 2]))


@dataclass(frozen=True, eq=False)
class _Shape:
    """The tree over `count` cones that are halved again and again.

    `child`, `leaf`, `size` are as those of a block; node `node[i]` is above cone `below[i]` for all i.
    """

    child: np.ndarray
    leaf: np.ndarray
    size: np.ndarray
    node: np.ndarray
    below: np.ndarray

    @staticmethod
    def of(count: int) -> _Shape:
        child, spans = [-1], [(0, count)]
        for node, (start, stop) in enumerate(spans):  # spans grow on the way
            if stop - start > 1:
                middle = start + (stop - start) // 2
                child[node] = len(spans)
                child += [-1, -1]
                spans += [(start, middle), (middle, stop)]
        bounds = np.array(spans)
        size = bounds[:, 1] - bounds[:, 0]
        above = np.repeat(np.arange(len(spans)), size)
        below = np.concatenate([np.arange(*span) for span in spans])
        return _Shape(np.array(child, dtype=np.int32), bounds[:, 0].astype(np.int32), size.astype(np.int32),
                      above, below)


def _block(
    vectors: np.ndarray, moved: np.ndarray, scale: np.ndarray, pad: float, simplices: np.ndarray,
    shape: _Shape,
) -> Block:
    """The block of cones (T, k), in this order."""
    simplices = np.take_along_axis(simplices, np.argsort(simplices < 0, axis=1, kind="stable"), axis=1)
    rays, local = np.unique(simplices, return_inverse=True)
    local = local.reshape(simplices.shape) - (rays[0] < 0)
    rays = rays[rays >= 0]
    d = scale[rays]
    own = moved[rays][local] @ vectors[rays][local].swapaxes(1, 2)
    key = (shape.node[:, None] * len(rays) + local[shape.below])[local[shape.below] >= 0]
    node, members = np.divmod(np.unique(key), len(rays))
    nodes = len(shape.child)
    least, widest = np.full(nodes, np.inf), np.zeros(nodes)
    np.minimum.at(least, shape.node, _least(own, pad, d[local], local >= 0)[shape.below])
    np.maximum.at(widest, node, d[members])
    return Block(rays.astype(np.int64), d, local.astype(np.int32), own, shape.child, shape.leaf, shape.size,
                 np.searchsorted(node, np.arange(nodes + 1)).astype(np.int64), members.astype(np.int32),
                 least, widest)


def _least(own: np.ndarray, pad: float, d: np.ndarray, there: np.ndarray) -> np.ndarray:
    """For every cone c' (T,) such that x^T K x >= c' (sum x)^2 for x >= 0 and the exact K of `own` (T, k, k).

    With m the least entry on the diagonal, c <= m the least of all, each lowered by its error, and r rays,
    x^T K x >= c (sum x)^2 + (m - c) sum x^2 >= (c + (m - c) / r) (sum x)^2.
    """
    lowered = own - pad * d[:, :, None] * d[:, None, :]
    counted = there[:, :, None] & there[:, None, :]
    smallest = np.where(counted, lowered, np.inf).min(axis=(1, 2))
    diagonal = np.where(there, np.einsum("tii->ti", lowered), np.inf).min(axis=1)
    found: np.ndarray = smallest + (diagonal - smallest) / there.sum(axis=1) - _LOST
    return found
