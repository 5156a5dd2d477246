"""The search for copositivity by cuts: all matrices of one depth are looked into together."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import numpy as np

from wdccheck._kernels.ray_blocks import KEPT, ORDER, PASSED

__all__ = ["DEEPEST", "Search", "search", "searched"]

DEEPEST = 60
"""Cuts of a matrix, one after the other."""

_TOGETHER = 2048  # matrices searched together
_ORDINARY = 1e50  # entries beyond which a matrix is left open


def search(z: np.ndarray, orders: np.ndarray, most: int, deadline: float) -> np.ndarray:
    """Which matrices are proved to be copositive, (B,).

    Parameters
    ----------
    z : ndarray of shape (B, 6, 6)
        Only the first rows and columns count.
    orders : ndarray of int, shape (B,)
        How many.
    most : int
        Nodes after which a matrix is left open.
    deadline : float
        Of ``time.monotonic()``; what is not looked into by then is left open.
    """
    inside = np.arange(ORDER) < np.asarray(orders)[:, None]
    both = inside[:, :, None] & inside[:, None, :]
    found, timely = searched(np.where(both, z, 0.0), np.asarray(orders), most, deadline)
    return ~found.failed & timely


@dataclass(frozen=True, eq=False)
class _Nodes:
    """Matrices z (B, 6, 6) of one depth, the rays (B, 6, 6) that they are of as combinations of those of the
    root, the number of the root, and the ends that were replaced on the way, from the first bit on.
    """

    depth: int
    z: np.ndarray
    rays: np.ndarray
    number: np.ndarray
    path: np.ndarray

    def take(self, index: np.ndarray | slice) -> _Nodes:
        return _Nodes(self.depth, self.z[index], self.rays[index], self.number[index], self.path[index])


@dataclass(eq=False)
class Search:
    """What is known of the roots so far."""

    visited: np.ndarray
    failed: np.ndarray
    found: np.ndarray
    notes: list[tuple[np.ndarray, ...]] = field(default_factory=list)


def searched(z: np.ndarray, order: np.ndarray, most: int, deadline: float) -> tuple[Search, bool]:
    """Search matrices (B, 6, 6) of orders (B,) by cuts; whether there was time for it."""
    search = Search(np.zeros(len(z), dtype=int), np.zeros(len(z), dtype=bool), np.zeros((len(z), ORDER)))
    root = _roots(search, z, order)
    todo = [root.take(slice(i, i + _TOGETHER)) for i in range(0, len(root.z), _TOGETHER)][::-1]
    while todo:
        if time.monotonic() > deadline:
            return search, False
        nodes = todo.pop()
        nodes = nodes.take(~search.failed[nodes.number])
        halves = _cut(search, nodes, most)
        todo += [halves.take(slice(i, i + _TOGETHER)) for i in range(0, len(halves.z), _TOGETHER)]
    return search, True


def _roots(search: Search, z: np.ndarray, order: np.ndarray) -> _Nodes:
    """Matrices with diagonal 1, beside a unit matrix for what is missing of order 6."""
    b, inside = np.arange(len(z)), np.arange(ORDER) < order[:, None]
    diagonal = np.where(inside, np.einsum("bii->bi", z), 1.0)
    bad = ~(diagonal > 0)
    search.failed[:] = bad.any(axis=1)
    search.visited[search.failed] = 1
    search.found[search.failed, bad.argmax(axis=1)[search.failed]] = 1
    lengths = 1 / np.sqrt(np.where(bad, 1.0, diagonal))
    z = z * (lengths[:, :, None] * lengths[:, None, :])
    z[:, range(ORDER), range(ORDER)] += ~inside
    rays = np.eye(ORDER) * lengths[:, None, :]
    return _Nodes(0, z, rays, b, np.zeros(len(z), dtype=np.uint64)).take(~search.failed)


def _cut(search: Search, nodes: _Nodes, most: int) -> _Nodes:
    """Test nodes, and cut those that fail at their most negative edge."""
    z, number, b = nodes.z, nodes.number, np.arange(len(nodes.z))
    np.add.at(search.visited, number, 1)
    way, (i, j) = _passes(z), _chosen(z)
    search.notes.append((number, nodes.path, np.full(len(z), nodes.depth),
                         np.where(way < 0, 8 * i + j, PASSED + way)))
    length = (z[b, i, i] + z[b, j, j]) + 2 * z[b, i, j]
    negative = (way < 0) & ~(length > 0)
    search.found[number[negative]] = (nodes.rays[b, i] + nodes.rays[b, j])[negative]
    search.failed[number[(way < 0) & (~(length > 0) | (search.visited > most)[number])]] = True
    if nodes.depth == DEEPEST:
        search.failed[number[way < 0]] = True
    rest = (way < 0) & ~search.failed[number]
    halves = _halves(nodes.take(rest), i[rest], j[rest], length[rest])
    search.failed[halves.number[~(np.abs(halves.z).max(axis=(1, 2)) < _ORDINARY)]] = True
    return halves


def _halves(nodes: _Nodes, i: np.ndarray, j: np.ndarray, length: np.ndarray) -> _Nodes:
    """With ray i, and with ray j, replaced by the one between them."""
    b, scale = np.arange(len(nodes.z)), 1 / np.sqrt(length)
    row = scale[:, None] * (nodes.z[b, i] + nodes.z[b, j])
    middle = scale[:, None] * (nodes.rays[b, i] + nodes.rays[b, j])
    z, rays = [], []
    for at in (i, j):
        matrix, of = nodes.z.copy(), nodes.rays.copy()
        matrix[b, at], matrix[b, :, at] = row, row
        matrix[b, at, at] = (scale * scale) * length
        of[b, at] = middle
        z.append(matrix)
        rays.append(of)
    path = [nodes.path, nodes.path | np.uint64(1 << (63 - nodes.depth))]
    return _Nodes(nodes.depth + 1, np.concatenate(z), np.concatenate(rays),
                  np.concatenate([nodes.number, nodes.number]), np.concatenate(path))


def _passes(z: np.ndarray) -> np.ndarray:
    """For each matrix, the first way that passes, or -1."""
    way = np.full(len(z), -1)
    for number, keep in enumerate(KEPT):
        left = np.flatnonzero(way < 0)
        way[left[_eliminated(z[left], keep)]] = number
    return way


def _eliminated(z: np.ndarray, keep: float) -> np.ndarray:
    """Whether pivots are positive, with the positive entries off the diagonal times `keep`."""
    a = np.where(z < 0, z, keep * z)
    a[:, range(ORDER), range(ORDER)] = np.einsum("bii->bi", z)
    good = np.ones(len(z), dtype=bool)
    with np.errstate(all="ignore"):  # of matrices that failed already
        for j in range(ORDER):
            good &= a[:, j, j] > 0
            inverse = 1 / a[:, j, j]
            for i in range(j + 1, ORDER):
                factor = a[:, i, j] * inverse
                for m in range(j + 1, i + 1):
                    a[:, i, m] -= factor * a[:, m, j]
    return good


def _chosen(z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The first edge with the most negative entry: i < j, both (B,)."""
    i, j = np.triu_indices(ORDER, 1)
    best = np.argmin(z[:, i, j], axis=1)
    return i[best], j[best]
