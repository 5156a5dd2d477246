"""A mesh of the sphere, cut layer by layer along the walls of the units of a network, with exact signs."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence

import numpy as np

from wdccheck.errors import OutOfTime
from wdccheck.ranges.differences import product
from wdccheck.ranges.walls import Exactly, crossing, forward, normals, rounded

__all__ = ["CELLS", "Mesh"]

Layers = Sequence[np.ndarray]

CELLS = 2**18
"""Cells up to which a mesh is made."""

_ENTRIES = 2**26  # of the gates at all vertices
_CHUNK = 4096  # vertices looked at in one go
_POOR = 1e-9  # error of a vertex beyond which integers are used


class Mesh:
    """A fan in the making: cells of the sphere, the edges between them, and their ends.

    The gates of the layers before the current one are kept by bits, for vertices and for the `parent` of a
    cell; the current layer has signs (V, n_l) of all its units at all vertices, which are exact.
    """

    def __init__(self, layers: Layers, k: int, deadline: float = math.inf) -> None:
        self.layers, self.k, self.deadline = tuple(layers), k, deadline
        self.exactly = Exactly(self.layers, k)
        self.rays = np.concatenate([np.eye(k), -np.eye(k)])
        self.errors = np.zeros(2 * k)
        other = np.array([[j for j in range(k) if j != i] for i in range(k)], dtype=int).reshape(k, k - 1)
        self.names = np.concatenate([other, other])
        self.walls = np.array([(0, i, 0) for i in range(k)])
        self.normals, self.normal_errors = np.eye(k), np.zeros((k, k))
        self.ends, self.wall, self.sides = _orthants(k)
        self.cells = 2**k
        self.parent = np.arange(self.cells)
        self.opened: list[np.ndarray] = []  # by vertex, packed
        self.gates: list[np.ndarray] = []  # by parent, packed
        self.signs = np.zeros((0, 0), dtype=np.int8)

    def refine(self, number: int) -> bool:
        """Cut all cells where a unit of layer `number` vanishes; False if there are too many."""
        width = sum(len(W) for W in self.layers[:number])
        if len(self.rays) * width > _ENTRIES:
            return False
        self.signs = np.concatenate([
            self._signs(number, 0, self.rays[part], self.errors[part], [o[part] for o in self.opened],
                        self.names[part])
            for part in (slice(start, start + _CHUNK) for start in range(0, len(self.rays), _CHUNK))])
        for unit in range(self.signs.shape[1]):
            self._in_time()
            self._cut(number, unit)
            if self.cells > CELLS or len(self.rays) * width > _ENTRIES:
                return False
        self.opened.append(np.packbits(self.signs > 0, axis=1))
        cell, vertex = self._incidence()
        self.gates = [gate[self.parent] for gate in self.gates]
        self.gates.append(_any_by(cell, self.opened[-1][vertex], self.cells))
        self.parent = np.arange(self.cells)
        return True

    def _in_time(self) -> None:
        if time.monotonic() > self.deadline:
            raise OutOfTime("the cones of the network were not all found in time")

    def _cut(self, number: int, unit: int) -> None:
        """Cut the cells that have vertices of both signs, and the edges that do.

        The positive half of an edge or a cell stays, the negative half is new.
        """
        low, high = self._range(unit)
        above, below = np.zeros(self.cells, dtype=bool), np.zeros(self.cells, dtype=bool)
        above[self.sides[high > 0]] = True
        below[self.sides[low < 0]] = True
        cut = np.flatnonzero(above & below)
        if not len(cut):
            return
        place = np.full(self.cells, -1)  # among the cells that are cut
        place[cut] = np.arange(len(cut))
        first, new = len(self.walls), self.cells + np.arange(len(cut))
        self._add_walls(number, unit, cut)
        crossed = np.flatnonzero((low < 0) & (high > 0))
        vertex = len(self.rays) + np.arange(len(crossed))
        self._add_vertices(number, unit, crossed, first + place[self.sides[crossed, 0]])
        edge = self.ends[crossed]
        up = (self.signs[edge[:, 0], unit] > 0).astype(int)  # 1 where the first end is positive
        here = np.arange(len(edge))
        self.ends[crossed] = np.stack([edge[here, 1 - up], vertex], axis=1)
        self._add_edges(np.stack([edge[here, up], vertex], axis=1), self.wall[crossed], self.sides[crossed])
        low, high = self._range(unit)
        rising = np.flatnonzero((low == 0) & (high > 0))
        between = self._between(unit, rising, place, len(cut)) if self.k == 3 else None
        below = np.flatnonzero(low < 0)
        sides = self.sides[below]
        self.sides[below] = np.where(place[sides] >= 0, self.cells + place[sides], sides)
        if between is not None:
            self._add_edges(between, first + np.arange(len(cut)), np.stack([cut, new], axis=1))
        self.cells += len(cut)
        self.parent = np.concatenate([self.parent, self.parent[cut]])

    def _range(self, unit: int) -> tuple[np.ndarray, np.ndarray]:
        """The least and the greatest sign of a unit at the ends of all edges."""
        sign = self.signs[:, unit].copy()  # one after the other in memory
        one, other = sign[self.ends[:, 0]], sign[self.ends[:, 1]]
        return np.minimum(one, other), np.maximum(one, other)

    def _between(self, unit: int, rising: np.ndarray, place: np.ndarray, count: int) -> np.ndarray:
        """The two vertices (count, 2) of each cell at which the unit vanishes; `place` numbers the cells.

        A cell is strictly convex and has vertices of both signs: two of its edges are `rising` from a zero.
        """
        ends, where = self.ends[rising], place[self.sides[rising]]
        vertex = ends[self.signs[ends, unit] == 0]
        edge, side = np.nonzero(where >= 0)
        order = np.argsort(where[edge, side], kind="stable")
        assert np.array_equal(where[edge, side][order], np.repeat(np.arange(count), 2))
        return vertex[edge[order]].reshape(-1, 2)

    def _add_edges(self, ends: np.ndarray, wall: np.ndarray, sides: np.ndarray) -> None:
        self.ends = np.concatenate([self.ends, ends])
        self.wall = np.concatenate([self.wall, wall])
        self.sides = np.concatenate([self.sides, sides])

    def _add_walls(self, number: int, unit: int, cut: np.ndarray) -> None:
        """One wall in each of the cells `cut`."""
        gates = self.unpacked([gate[self.parent[cut]] for gate in self.gates])
        value, error = normals(self.layers[:number], unit, gates)
        shape = (len(cut), self.k)
        self.normals = np.concatenate([self.normals, np.broadcast_to(value, shape)])
        self.normal_errors = np.concatenate([self.normal_errors, np.broadcast_to(error, shape)])
        names = np.stack([np.full(len(cut), number), np.full(len(cut), unit), cut], axis=1)
        self.walls = np.concatenate([self.walls, names])

    def _add_vertices(self, number: int, unit: int, crossed: np.ndarray, wall: np.ndarray) -> None:
        """One vertex on each of the edges `crossed`, where it meets `wall`.

        Edges are no longer than a right angle: the product with the sum of both ends tells a ray from its
        opposite. An earlier unit is open on an edge where it is at one of its ends.
        """
        one, other = self.ends[crossed].T
        names = np.stack([self.wall[crossed], wall], axis=1)[:, 3 - self.k:]
        meeting = [(self.normals[names[:, i]], self.normal_errors[names[:, i]]) for i in range(self.k - 1)]
        middle = self.rays[one] + self.rays[other]
        with np.errstate(all="ignore"):
            rays, errors = crossing(meeting[0], meeting[1] if self.k == 3 else None)
            rays = np.where(np.einsum("bk,bk->b", rays, middle)[:, None] < 0, -rays, rays)
            poor = ~(np.isfinite(rays).all(axis=1) & rays.any(axis=1) & (errors <= _POOR))
        for b in np.flatnonzero(poor):
            self._in_time()
            rays[b], wrong = rounded(self._exact_ray(names[b], middle[b]))
            errors[b] = wrong.sum()
        opened = [o[one] | o[other] for o in self.opened]
        signs = np.where(self.signs[one] != 0, self.signs[one], self.signs[other])
        signs[:, unit] = 0
        signs[:, unit + 1:] = self._signs(number, unit + 1, rays, errors, opened, names)
        self.rays, self.errors = np.concatenate([self.rays, rays]), np.concatenate([self.errors, errors])
        self.names = np.concatenate([self.names, names])
        self.opened = [np.concatenate([o, new]) for o, new in zip(self.opened, opened, strict=True)]
        self.signs = np.concatenate([self.signs, signs])

    def _signs(
        self, number: int, first: int, rays: np.ndarray, errors: np.ndarray, opened: Sequence[np.ndarray],
        names: np.ndarray,
    ) -> np.ndarray:
        """Signs (B, n_l - first) of the inputs of the units from `first` on of a layer: exact."""
        error = np.repeat(errors[:, None], self.k, axis=1)
        with np.errstate(all="ignore"):
            value, error = forward(self.layers[: number - 1], self.unpacked(opened), rays, error)
            value, error = product(self.layers[number - 1][first:], value, error)
            sure = (np.abs(value) > error) | ((value == 0) & (error == 0))
        signs = np.sign(value, where=sure, out=np.zeros_like(value)).astype(np.int8)
        for b in np.flatnonzero(~sure.all(axis=1)):
            self._in_time()
            units = np.flatnonzero(~sure[b])
            signs[b, units] = self.exactly.inputs(self._exact_ray(names[b], rays[b]), number, first + units)
        return signs

    def _exact_ray(self, names: np.ndarray, near: np.ndarray) -> np.ndarray:
        walls = []
        for layer, unit, cell in self.walls[names].tolist():
            gates = self.unpacked([gate[self.parent[cell]][None] for gate in self.gates])
            walls.append(self.exactly.normal(layer, unit, [gate[0] for gate in gates]))
        return self.exactly.ray(walls, near)

    def unpacked(self, packed: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Gates of the first layers."""
        return [np.unpackbits(bits, axis=1, count=len(W)).view(bool)
                for bits, W in zip(packed, self.layers, strict=False)]

    def _incidence(self) -> tuple[np.ndarray, np.ndarray]:
        """Cells and their vertices, some of them more than once."""
        if self.k == 1:
            return np.arange(2), np.arange(2)
        cell = np.repeat(self.sides.ravel(), 2)
        return cell, np.repeat(self.ends, self.sides.shape[1], axis=0).ravel()

    def simplices(self) -> tuple[np.ndarray, np.ndarray]:
        """All cells as simplices (T, k) of vertices, and the cell of each (T,).

        No corner of a cell is straight: the triangles from its lowest vertex to its other edges fill it.
        """
        if self.k == 1:
            return np.arange(2)[:, None], np.arange(2)
        if self.k == 2:
            return self.ends, self.sides[:, 0]
        lowest = np.full(self.cells, len(self.rays))
        np.minimum.at(lowest, *self._incidence())
        cell, edge = self.sides.ravel(), np.repeat(self.ends, 2, axis=0)
        apex = lowest[cell][:, None]
        kept = (edge != apex).all(axis=1)
        return np.concatenate([apex, edge], axis=1)[kept], cell[kept]


def _orthants(k: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Edges of the fan of all orthants (E, 2) between rays e_1, ..., e_k, -e_1, ..., the coordinate plane of
    each (E,), and the orthants that it bounds (E, 2), or, for k = 2, is (E, 1).
    """
    found = []
    for i in range(k):
        for j in range(i + 1, k):
            for a in (0, 1):
                for b in (0, 1):
                    cells = [a << i | b << j | c << 3 - i - j for c in ((0, 1) if k == 3 else (0,))]
                    found.append((i + k * a, j + k * b, 3 - i - j if k == 3 else -1, *cells))
    table = np.array(found, dtype=int).reshape(-1, 3 + k - 1)
    return table[:, :2], table[:, 2], table[:, 3:]


def _any_by(owner: np.ndarray, bits: np.ndarray, count: int) -> np.ndarray:
    """The union (count, b) of the bits (m, b) of every owner; each owns some."""
    order = np.argsort(owner, kind="stable")
    return np.bitwise_or.reduceat(bits[order], np.searchsorted(owner[order], np.arange(count)), axis=0)
