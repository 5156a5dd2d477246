"""Groups of activation cones: a binary tree over the cones, and regions that are products of its nodes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from wdccheck.geometry.expectation import angle, unit

__all__ = ["Groups", "Tree"]

_FINER = 4  # times as many cells in a finer partition

_NEAR = 1e-9
"""Exceeds the rounding of an angle between vectors of R^n, n < 10^6, and of its sum with a radius.

*Units.* The one computed of a stored vector has a length within (n/2 + 3) u of 1; its direction is off by
less than 1.1 u, as only the division differs from entry to entry. Let a, b be the exact lengths of two
such units, theta the exact angle between them, D and S the exact lengths of their difference and sum.
*Lengths.* cos(2 atan(D/S)) = (S^2 - D^2)/(S^2 + D^2) = cos(psi) cos(theta), cos(psi) = 2ab/(a^2 + b^2):
the hypotenuse of a spherical triangle with a right angle between legs theta and psi. So it is off by at
most psi, and sin(psi) = |a^2 - b^2|/(a^2 + b^2): less than (n + 7) u.
*The rest.* The computed D and S err relatively by (n/2 + 4) u, which turns the angle by (n + 8) u at most;
4 units in the last place of atan2, doubled, are 16 u. That is less than (2n + 40) u in all. The radii of a
tree with 60 000 leaves stay below 64, so two additions lose 128 u. 1e-9 is 9 10^6 u.
"""


@dataclass(frozen=True, eq=False)
class Tree:
    """A binary tree over cones; node 0 is the root, the group of all of them.

    Attributes
    ----------
    children : ndarray of int, shape (N, 2)
        -1 for a leaf, which is one cone.
    first, last : ndarray of int, shape (N,)
        The cones of a node are the leaves first, ..., last - 1 from left to right.
    codes : ndarray of shape (L, k)
        A latent direction of every cone, from left to right.
    order : ndarray of int, shape (L,)
        Their numbers as they were given.
    layers : tuple of ndarray
        The layers whose units have gates here.
    opened, maybe : tuple of ndarray of bool, each of shape (N, n_l)
        The units open in all cones of a node, and in at least one.
    """

    children: np.ndarray
    first: np.ndarray
    last: np.ndarray
    codes: np.ndarray
    order: np.ndarray
    layers: tuple[np.ndarray, ...]
    opened: tuple[np.ndarray, ...]
    maybe: tuple[np.ndarray, ...]

    @staticmethod
    def of(codes: np.ndarray, layers: Sequence[np.ndarray], gates: Sequence[np.ndarray]) -> Tree:
        """Halve the cones by their directions, (L, k), across the widest coordinate; gates (L, n_l)."""
        children, spans, todo = [(-1, -1)], [(0, len(codes))], [0]
        order = np.arange(len(codes))
        while todo:
            node = todo.pop()
            start, stop = spans[node]
            if stop - start < 2:
                continue
            part = order[start:stop]
            widest = int(np.argmax(np.ptp(codes[part], axis=0)))
            order[start:stop] = part[np.argsort(codes[part, widest], kind="stable")]
            middle = (start + stop) // 2
            children[node] = (len(children), len(children) + 1)
            children += [(-1, -1), (-1, -1)]
            spans += [(start, middle), (middle, stop)]
            todo += children[node]
        bounds = np.array(spans)
        tree = Tree(np.array(children), bounds[:, 0], bounds[:, 1], codes[order], order,
                    tuple(layers), (), ())
        return replace(tree, opened=tuple(tree.gathered(g, np.logical_and) for g in gates),
                       maybe=tuple(tree.gathered(g, np.logical_or) for g in gates))

    def gathered(self, leaves: np.ndarray, join: np.ufunc) -> np.ndarray:
        """Values (N, ...) of the nodes from those of the cones (L, ...) as given, joined in pairs."""
        result = np.empty((len(self.children), *leaves.shape[1:]), dtype=leaves.dtype)
        single = self.children[:, 0] < 0
        result[single] = leaves[self.order[self.first[single]]]
        for nodes in self._upward():
            left, right = self.children[nodes].T
            result[nodes] = join(result[left], result[right])
        return result

    def balls(self, center: np.ndarray, radius: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Directions (N, n) and angles (N,) of caps that hold those of the cones, (L, n) and (L,)."""
        centers = np.empty((len(self.children), center.shape[1]))
        radii = np.empty(len(self.children))
        single = self.children[:, 0] < 0
        leaves = self.order[self.first[single]]
        centers[single], radii[single] = center[leaves], radius[leaves]
        for nodes in self._upward():
            both = self.children[nodes]
            middle = unit(centers[both].sum(axis=1))
            middle = np.where(middle.any(axis=1, keepdims=True), middle, centers[both[:, 0]])
            centers[nodes] = middle
            radii[nodes] = np.max(angle(centers[both], middle[:, None]) + radii[both], axis=1) + _NEAR
        return centers, radii

    def _upward(self) -> list[np.ndarray]:
        """The nodes with children, level by level, the root last."""
        levels, nodes = [], np.array([0])
        while len(nodes := nodes[~self.leaf(nodes)]):
            levels.append(nodes)
            nodes = self.children[nodes].ravel()
        return levels[::-1]

    def leaf(self, nodes: np.ndarray) -> np.ndarray:
        """Boolean: which nodes are single cones."""
        return np.asarray(self.children[nodes, 0] < 0)


@dataclass(frozen=True, eq=False)
class Groups:
    """B products of groups of cones, one group per slot.

    Slots come in pairs that may be exchanged: of two mirrored products only one is kept. A slot of -1
    is not in use yet: its pair starts as the roots once all other slots are single cones.

    Attributes
    ----------
    trees : tuple of Tree, one per slot
    sizes : tuple of ndarray, one per slot, each of shape (N,)
        What makes a node worth splitting: the slot with the largest is split.
    pairs : int
        The first slot that stands for a code of a difference; those before it are never split.
    letters : mapping of letter to slot
        Slots whose directions :meth:`centers` and :meth:`sample` give to a letter.
    nodes : ndarray of int, shape (B, slots)
    bound : ndarray of shape (B,)
        No deviation of the region is larger; or none that no other region accounts for.
    effort : ndarray of int, shape (B,)
        How often the constraints of its cones have been used.
    """

    trees: tuple[Tree, ...]
    sizes: tuple[np.ndarray, ...]
    pairs: int
    letters: Mapping[str, int]
    nodes: np.ndarray
    bound: np.ndarray
    effort: np.ndarray

    def __len__(self) -> int:
        return len(self.nodes)

    def bounded(self, bound: np.ndarray) -> Groups:
        """The same regions with these bounds where they are smaller."""
        return replace(self, bound=np.minimum(self.bound, bound))

    def take(self, index: np.ndarray | slice) -> Groups:
        """The regions of `index`."""
        return replace(self, nodes=self.nodes[index], bound=self.bound[index],
                       effort=self.effort[index])

    def join(self, parts: Sequence[Groups]) -> Groups:
        """All regions of `parts` in one batch."""
        return replace(self, nodes=np.concatenate([p.nodes for p in parts]),
                       bound=np.concatenate([p.bound for p in parts]),
                       effort=np.concatenate([p.effort for p in parts]))

    def single(self) -> np.ndarray:
        """Where all pairs are of single cones: boolean (B,)."""
        found = [tree.leaf(self.nodes[:, s]) | (self.nodes[:, s] < 0) for s, tree in enumerate(self.trees)]
        return np.asarray(np.all(found[self.pairs:], axis=0))

    def matured(self) -> Groups:
        """The same regions after one effort more."""
        return replace(self, effort=self.effort + 1)

    def _open(self) -> np.ndarray:
        """Sizes (B, slots) of the groups that can be split, -inf for the others."""
        columns = []
        for slot, (tree, size) in enumerate(zip(self.trees, self.sizes, strict=True)):
            node = self.nodes[:, slot]
            divisible = (node >= 0) & ~tree.leaf(node) & (slot >= self.pairs)
            columns.append(np.where(divisible, size[node], -np.inf))
        return np.stack(columns, axis=1)

    def splittable(self) -> np.ndarray:
        """False where every group is a single cone and every slot is in use."""
        return np.asarray((self._open() > -np.inf).any(axis=1) | (self.nodes < 0).any(axis=1))

    def split(self) -> Groups:
        """Both halves of the largest group of each region, but for mirrored ones."""
        size = self._open()
        slot, rows = np.argmax(size, axis=1), np.arange(len(self))
        fresh = size[rows, slot] == -np.inf
        halves = []
        for side in (0, 1):
            nodes = self.nodes.copy()
            for s, tree in enumerate(self.trees):
                mine = (slot == s) & ~fresh
                nodes[mine, s] = tree.children[nodes[mine, s], side]
            nodes[fresh] = np.maximum(nodes[fresh], 0)
            halves.append(nodes[~fresh] if side else nodes)
        nodes, bound = np.concatenate(halves), np.concatenate([self.bound, self.bound[~fresh]])
        kept = np.ones(len(nodes), dtype=bool)
        for a, tree in zip(range(0, len(self.trees), 2), self.trees[::2], strict=True):
            left, right = nodes[:, a], nodes[:, a + 1]
            kept &= (left < 0) | (tree.first[left] < tree.last[right])
        return replace(self, nodes=nodes[kept], bound=bound[kept], effort=np.zeros(kept.sum(), dtype=int))

    def remark(self, lower: float) -> str:
        """Nothing, whatever the lower bound is."""
        return ""

    def finer(self) -> Groups | None:
        """All products of a finer partition in the slots that are never split, with roots in the others."""
        if not self.pairs:
            return None
        tree, size, cells = self.trees[0], self.sizes[0], np.unique(self.nodes[:, : self.pairs])
        wanted = _FINER * len(cells)
        while len(cells) < wanted and not tree.leaf(cells).all():
            largest = cells[np.argmax(np.where(tree.leaf(cells), -np.inf, size[cells]))]
            cells = np.concatenate([cells[cells != largest], tree.children[largest]])
        if len(cells) == len(np.unique(self.nodes[:, : self.pairs])):
            return None
        cells = cells[np.argsort(tree.first[cells])]
        left, right = np.triu_indices(len(cells))
        nodes = np.zeros((len(left), len(self.trees)), dtype=int)
        nodes[:, 0], nodes[:, 1] = cells[left], cells[right]
        return replace(self, nodes=nodes, bound=np.full(len(nodes), np.inf),
                       effort=np.zeros(len(nodes), dtype=int))

    def centers(self) -> dict[str, np.ndarray]:
        """The direction of a cone in the middle of each group, letters to (B, k)."""
        result = {}
        for letter, tree, node in self._lettered():
            result[letter] = tree.codes[(tree.first[node] + tree.last[node]) // 2]
        return result

    def sample(self, rng: np.random.Generator, n: int) -> dict[str, np.ndarray]:
        """Directions of random cones of each group, letters to (B, n, k), their lengths random."""
        result = {}
        for letter, tree, node in self._lettered():
            which = rng.integers(tree.first[node][:, None], tree.last[node][:, None], (len(self), n))
            result[letter] = tree.codes[which] * 10 ** rng.uniform(-1, 1, (len(self), n, 1))
        return result

    def contains(self, points: Mapping[str, np.ndarray]) -> np.ndarray:
        """Whether the gates of points[letter][b], (B, k), are among those of region b."""
        inside = np.ones(len(self), dtype=bool)
        for letter, tree, node in self._lettered():
            value = points[letter]
            for W, opened, maybe in zip(tree.layers, tree.opened, tree.maybe, strict=True):
                value = value @ W.T
                inside &= np.all((opened[node] <= (value > 0)) & ((value > 0) <= maybe[node]), axis=1)
                value = np.maximum(value, 0.0)
        return inside

    def _lettered(self) -> Iterator[tuple[str, Tree, np.ndarray]]:
        """Every letter with its tree and nodes; a slot not in use stands for the pair before it."""
        for letter, slot in self.letters.items():
            node = self.nodes[:, slot]
            yield letter, self.trees[slot], np.where(node < 0, self.nodes[:, slot - 2], node)
