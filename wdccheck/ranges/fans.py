"""The fan of a network: its activation cones, exactly, cut into simplicial cones that meet face to face."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from wdccheck.ranges.meshes import CELLS, Mesh
from wdccheck.ranges.walls import Exactly

__all__ = ["Fan", "expected_cells"]

Layers = Sequence[np.ndarray]

_LATENT = 3


@dataclass(frozen=True, eq=False)
class Fan:
    """Simplicial cones that cover R^k and meet face to face; G is linear on each (Fact 24).

    Attributes
    ----------
    layers : tuple of ndarray
    rays : ndarray of shape (V, k)
        One direction on each extreme ray, of length about 1.
    ray_error : ndarray of shape (V,)
        Bound on the distance of `rays` from the exact ray.
    simplices : ndarray of int, shape (T, k)
        The rays that span each.
    cells : ndarray of int, shape (T,)
        The activation cone that each simplex is part of.
    gates : tuple of ndarray of bool, shapes (C, n_l)
        The units of each layer that are open in the interior of a cell.
    open_at : tuple of ndarray of bool, shapes (V, n_l)
        The units that are open at a ray.
    walls : ndarray of int, shape (N, 3)
        (layer, unit, cell): the hyperplane where this unit vanishes, as it is in this cell. Layers count
        from 1; the units of layer 0 are the coordinates.
    names : ndarray of int, shape (V, k - 1)
        The walls in which each ray lies.
    """

    layers: tuple[np.ndarray, ...]
    rays: np.ndarray
    ray_error: np.ndarray
    simplices: np.ndarray
    cells: np.ndarray
    gates: tuple[np.ndarray, ...]
    open_at: tuple[np.ndarray, ...]
    walls: np.ndarray
    names: np.ndarray

    @staticmethod
    def of(layers: Layers, k: int, deadline: float = math.inf) -> Fan | None:
        """The fan of layers with entries of magnitude about 1; None for k > 3 or beyond 2^18 cells.

        Where many are likely, they are estimated first: a quarter too many end it at once.

        Raises
        ------
        OutOfTime
            The deadline, by the clock of `time.monotonic`, has passed.

        Examples
        --------
        >>> fan = Fan.of([np.eye(2)], 2)
        >>> fan.simplices.shape, fan.gates[0].sum(axis=1).tolist()
        ((4, 2), [0, 1, 1, 2])
        """
        if k > _LATENT:
            return None
        likely = sum(len(W) for W in layers) ** 2  # as many as planes would give
        if k == 3 and likely > CELLS and expected_cells(layers, deadline) > 1.25 * CELLS:
            return None
        mesh = Mesh(layers, k, deadline)
        if not all(mesh.refine(number) for number in range(1, len(layers) + 1)):
            return None
        patterns = np.concatenate([np.zeros((mesh.cells, 1), dtype=np.uint8), *mesh.gates], axis=1)
        _, first, owner = np.unique(patterns, axis=0, return_index=True, return_inverse=True)
        owner = owner.ravel()
        simplices, cell = mesh.simplices()
        walls = mesh.walls.copy()
        walls[:, 2] = owner[walls[:, 2]]
        gates = mesh.unpacked([gate[first] for gate in mesh.gates])
        return Fan(mesh.layers, mesh.rays, mesh.errors, simplices, owner[cell], tuple(gates),
                   tuple(mesh.unpacked(mesh.opened)), walls, mesh.names)

    @cached_property
    def centers(self) -> np.ndarray:
        """A direction inside each cell, shape (C, k), up to rounding."""
        _, first = np.unique(self.cells, return_index=True)
        return np.asarray(self.rays[self.simplices[first]].mean(axis=1))

    @cached_property
    def exactly(self) -> Exactly:
        """The layers in integers."""
        return Exactly(self.layers, self.rays.shape[1])

    def exact_ray(self, ray: int) -> np.ndarray:
        """The ray in integers (k,)."""
        walls = [self.exactly.normal(layer, unit, [g[cell] for g in self.gates])
                 for layer, unit, cell in self.walls[self.names[ray]].tolist()]
        return self.exactly.ray(walls, self.rays[ray])

    def exact_image(self, ray: int) -> np.ndarray:
        """Its image in integers (n,), with no common factor."""
        return self.exactly.image(self.exact_ray(ray), len(self.layers))


def expected_cells(layers: Layers, deadline: float = math.inf) -> float:
    """About how many cells the fan of a network with k = 3 has, by those on two great circles.

    Curves of total length L on the sphere meet a random great circle L/pi times on average, and one another
    (L/2pi)^2 times, if they lie as by chance: c cells on a circle mean about c^2/4. No bound; often within
    10 %. Raises OutOfTime at the deadline.

    Examples
    --------
    >>> layers = [np.random.default_rng(0).standard_normal((40, 3))]
    >>> round(expected_cells(layers)), len(Fan.of(layers, 3).gates[0])
    (1764, 1562)
    """
    counts = []
    for plane in np.random.default_rng(0).standard_normal((2, 3, 2)):
        mesh = Mesh([layers[0] @ plane, *layers[1:]], 2, deadline)
        for number in range(1, len(layers) + 1):
            mesh.refine(number)
        counts.append(mesh.cells)
    return float(np.mean(counts)) ** 2 / 4
