"""A_{r,s} - alpha Q_{r,s} on pairs of groups, cones and parts of cones, and how they are halved (Fact 28).

On such a region it lies between A_sure - alpha Q_c - slack and A_maybe - alpha Q_c + slack (Fact 10). On
parts of two cones it is within `bend` of a mean of what it is at pairs of their corners (Fact 29).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from wdccheck.conditions.r2wdc.regions import Regions
from wdccheck.geometry.expectation import angle, expected_bend, expected_gram, expected_turn
from wdccheck.linalg import rounding
from wdccheck.ranges.cone_groups import Tree
from wdccheck.ranges.gated_cones import GatedCones

__all__ = ["Cover", "Forms"]

_DEPTH = 48  # cuts of a cone: the weights of its parts are exact
_FAINT = 2.0**-28  # angle to an exact corner
_OFF = 2.0**-28  # at least expected_turn of two such angles


@dataclass(frozen=True, eq=False)
class Forms:
    """What A_{r,s} - alpha Q_{r,s} is on regions: within `gap` and `slack` I of `middle`, up to `pad` I.

    Attributes
    ----------
    middle, gap : ndarray of shape (B, n, n)
        Means and half the differences of A_maybe and A_sure; less alpha Q_c.
    slack : ndarray of shape (B,)
    bend : ndarray of shape (B,)
        The same, from a mean of the forms at pairs of corners; inf for groups.
    pad : float
    loose : ndarray of bool, shape (B,)
        Whether `gap` is not 0.
    reach : ndarray of shape (B, 2)
        Angles.
    """

    middle: np.ndarray
    gap: np.ndarray
    slack: np.ndarray
    bend: np.ndarray
    pad: float
    loose: np.ndarray
    reach: np.ndarray


@dataclass(frozen=True, eq=False)
class Cover:
    """Groups of cones of r, and A_{r,s} - alpha Q_{r,s} on pairs of them.

    Parameters
    ----------
    cones : GatedCones
    rows : ndarray of shape (m, n)
    alpha : float
    tree : Tree
        Of the cones.
    center, radius : ndarray of shape (N, n), (N,)
        Caps that hold the directions of the nodes.
    """

    cones: GatedCones
    rows: np.ndarray
    alpha: float
    tree: Tree
    center: np.ndarray
    radius: np.ndarray

    @staticmethod
    def of(cones: GatedCones, rows: np.ndarray, alpha: float) -> Cover | None:
        """None where no direction is left."""
        if not len(cones.corners):
            return None
        codes = cones.codes / np.linalg.norm(cones.codes, axis=1, keepdims=True)
        tree = Tree.of(codes, (), (cones.gates,))
        return Cover(cones, rows, alpha, tree, *_caps_of_groups(cones, tree))

    def with_alpha(self, rows: np.ndarray, alpha: float) -> Cover:
        """The same directions."""
        return replace(self, rows=rows, alpha=alpha)

    @cached_property
    def _table(self) -> np.ndarray:
        """w w^T, flat: (m, n * n)."""
        return np.asarray((self.rows[:, :, None] * self.rows[:, None]).reshape(len(self.rows), -1))

    @cached_property
    def energy(self) -> float:
        """At least the sum of |w|^2."""
        return float(np.sum(self.rows * self.rows)) * (1 + 1e-9)

    def _cone(self, nodes: np.ndarray) -> np.ndarray:
        """The cone of each leaf."""
        return self.tree.order[self.tree.first[nodes]]

    def directions(self, regions: Regions, side: int) -> tuple[np.ndarray, np.ndarray]:
        """Caps (B, n), (B,) of one side."""
        nodes = regions.nodes[:, side]
        center, radius = self.center[nodes].copy(), self.radius[nodes].copy()
        part = np.flatnonzero(regions.depth[:, side] > 0)
        if len(part):
            center[part], radius[part] = self.cones.caps(self._cone(nodes[part]), regions.weights[part, side])
        return center, radius

    @property
    def pad(self) -> float:
        """What a form errs by.

        Sums of rows err by gram_error of their energy, twice; Q by expectation_error, and by 8 u with the
        slack, which is inside it.
        """
        m, n = self.rows.shape
        return (4 * rounding.gram_error(m, n) * self.energy
                + self.alpha * rounding.expectation_error(n))

    def forms(self, regions: Regions) -> Forms:
        """What is known on the regions."""
        n = self.rows.shape[1]
        (r, one), (s, two) = self.directions(regions, 0), self.directions(regions, 1)
        sure, loose = self._gates(regions)
        slack = self.alpha * expected_turn(one, two)
        far = slack > self.alpha / 4  # then 0 <= Q <= I/2 (Fact 1) says more: I/4 +- I/4
        mean = np.where(far[:, None, None], np.eye(n) / 4, expected_gram(r, s))
        middle = self._sums(sure + loose / 2) - self.alpha * mean
        some = np.asarray(loose.any(axis=1))
        gap = np.zeros_like(middle)
        gap[some] = self._sums(loose[some] / 2)
        cones = self.tree.leaf(regions.nodes).all(axis=1)
        most = np.minimum(expected_bend(angle(r, s), one, two) + _OFF, 1.0)  # Q and means are 0 to I/2
        bend = np.where(cones, self.alpha * most, np.inf)
        return Forms(middle, gap, np.minimum(slack, self.alpha / 4), bend, self.pad, some,
                     np.stack([one, two], axis=1))

    def at_corners(self, regions: Regions) -> tuple[np.ndarray, np.ndarray]:
        """The forms (B, k * k, n, n) at pairs of corners of parts of cones; (B,) whether corners are known.

        These are off by an angle of at most `_FAINT` then, which counts as `_OFF`.
        """
        n = self.rows.shape[1]
        (r, one), (s, two) = (self.cones.ends(self._cone(regions.nodes[:, side]), regions.weights[:, side])
                              for side in (0, 1))
        sums = self._sums(self._gates(regions)[0])
        mean = expected_gram(r[:, :, None], s[:, None, :]).reshape(len(r), r.shape[1] ** 2, n, n)
        return sums[:, None] - self.alpha * mean, np.maximum(one, two) <= _FAINT

    def _gates(self, regions: Regions) -> tuple[np.ndarray, np.ndarray]:
        """Rows that are open for all r and s, and those that are for some (B, m)."""
        x, y = regions.nodes.T
        opened, maybe = self.tree.opened[0], self.tree.maybe[0]
        sure = opened[x] & opened[y]
        return sure, maybe[x] & maybe[y] & ~sure

    def _sums(self, weights: np.ndarray) -> np.ndarray:
        """sum_i weights[b, i] w_i w_i^T: (B, n, n)."""
        n = self.rows.shape[1]
        return np.asarray((weights @ self._table).reshape(-1, n, n))

    def split(self, regions: Regions, reach: np.ndarray) -> tuple[Regions, np.ndarray]:
        """Halves of the larger side of each, of both where they are the same; and which could not be halved.

        What A may lose on a side is measured by its undecided rows, what Q by its angle.
        """
        x, y = regions.nodes.T
        squares = np.sum(self.rows * self.rows, axis=1)
        opened, maybe = self.tree.opened[0], self.tree.maybe[0]
        sizes = []
        for own, other, side in ((x, y, 0), (y, x, 1)):
            undecided = (maybe[own] & ~opened[own] & maybe[other]) @ squares
            size = undecided + self.alpha * reach[:, side] / np.pi
            leaf = self.tree.leaf(own)
            fixed = leaf & (self.cones.single[self._cone(own)] | (regions.depth[:, side] >= _DEPTH))
            sizes.append(np.where(fixed, -np.inf, size))
        size = np.stack(sizes, axis=1)
        same = (x == y) & (regions.weights[:, 0] == regions.weights[:, 1]).all(axis=(1, 2))
        stuck = np.isinf(size).all(axis=1)
        side = np.argmax(size, axis=1)
        parts = []
        for chosen in (0, 1):
            some = regions.take(np.flatnonzero(~same & ~stuck & (side == chosen)))
            parts += self._halves(some, chosen)
        twins = regions.take(np.flatnonzero(same & ~stuck))
        one, two = self._halves(twins, 0)
        parts += [_copied(first, second, 1, 0) for first, second in ((one, one), (one, two), (two, two))]
        return Regions.join(parts), stuck

    def _halves(self, regions: Regions, side: int) -> list[Regions]:
        nodes, rows = regions.nodes[:, side], np.arange(len(regions))
        leaf = self.tree.leaf(nodes)
        halves = []
        cut = self.cones.halved(self._cone(nodes[leaf]), regions.weights[leaf, side])
        for number in (0, 1):
            new, weights, depth = regions.nodes.copy(), regions.weights.copy(), regions.depth.copy()
            new[rows[~leaf], side] = self.tree.children[nodes[~leaf], number]
            weights[leaf, side], depth[leaf, side] = cut[number], depth[leaf, side] + 1
            halves.append(replace(regions, nodes=new, weights=weights, depth=depth))
        return halves


def _copied(regions: Regions, other: Regions, side: int, of: int) -> Regions:
    """With one side replaced by that of others."""
    nodes, weights, depth = regions.nodes.copy(), regions.weights.copy(), regions.depth.copy()
    nodes[:, side], weights[:, side], depth[:, side] = (
        other.nodes[:, of], other.weights[:, of], other.depth[:, of])
    return replace(regions, nodes=nodes, weights=weights, depth=depth)


def _caps_of_groups(cones: GatedCones, tree: Tree) -> tuple[np.ndarray, np.ndarray]:
    """Caps (N, n), (N,) that hold all rays of the cones of each node: a level of the tree at a time.

    Centers start at the means and move toward the farthest ray, less and less (Badoiu and Clarkson 2003).
    """
    center = np.empty((len(tree.children), cones.vectors.shape[1]))
    radius = np.empty(len(center))
    nodes = np.array([0])
    while len(nodes):
        sizes = tree.last[nodes] - tree.first[nodes]
        owner = np.repeat(np.arange(len(nodes)), sizes)
        leaf = np.arange(sizes.sum()) + np.repeat(tree.first[nodes] - np.cumsum(sizes) + sizes, sizes)
        center[nodes], radius[nodes] = cones.held(tree.order[leaf], owner, len(nodes))
        nodes = tree.children[nodes[~tree.leaf(nodes)]].ravel()
    return center, radius
