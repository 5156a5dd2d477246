"""All (r, s) in parts of cones, and whether one of several majorants covers each part (Fact 28).

A region is a pair of groups of cones, of cones, or of parts of cones. On it A_{r,s} - alpha Q_{r,s} lies
between A_sure - alpha Q_c - slack and A_maybe - alpha Q_c + slack (Fact 10).
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy.linalg.lapack import dpotrf

from wdccheck.geometry.expectation import expected_gram, expected_turn
from wdccheck.linalg import rounding
from wdccheck.ranges.cone_groups import Tree
from wdccheck.ranges.gated_cones import GatedCones

__all__ = ["Cover", "Examined", "Forms", "Members", "Regions", "examine", "wants"]

_TRIES = 2  # members that a region is held against, after the one that covered its parent
_DEPTH = 48  # cuts of a cone: the weights of its parts are exact
_CLOSE = 0.25  # of the slack: where no member leaves so much at the center, another one is wanted
_LEARNED = 2  # directions noted of a batch, in which a member failed


@dataclass(frozen=True, eq=False)
class Members:
    """Majorants H with u^T H u <= t ||u||^2 proved for all differences; the first is H = 0, t = 0.

    Attributes
    ----------
    matrices : ndarray of shape (M, n, n)
    proved : ndarray of shape (M,)
        t of each.
    tests : ndarray of shape (q, n)
        Unit directions z: what does not cover a region there is not tried.
    """

    matrices: np.ndarray
    proved: np.ndarray
    tests: np.ndarray

    def __len__(self) -> int:
        return len(self.proved)

    @cached_property
    def squares(self) -> np.ndarray:
        """z z^T, flat: (n * n, q)."""
        return np.asarray((self.tests[:, :, None] * self.tests[:, None]).reshape(len(self.tests), -1).T)

    @cached_property
    def seen(self) -> np.ndarray:
        """z^T H z - t of each: (M, q)."""
        n = self.matrices.shape[1]
        return np.asarray(self.matrices.reshape(-1, n * n) @ self.squares - self.proved[:, None])

    @cached_property
    def sizes(self) -> np.ndarray:
        """At least ||H||_F: (M,)."""
        return np.asarray(np.sqrt(np.sum(self.matrices**2, axis=(1, 2))) * (1 + 1e-9))


@dataclass(frozen=True, eq=False)
class Regions:
    """Pairs of groups or parts of cones.

    Attributes
    ----------
    nodes : ndarray of int, shape (B, 2)
        Nodes of the tree.
    weights : ndarray of shape (B, 2, k, k)
        What a part is of its cone; the identity for all of it.
    depth : ndarray of int, shape (B, 2)
        Cuts of the cones.
    hint : ndarray of int, shape (B,)
        The member to try first.
    bound : ndarray of shape (B,)
        What is proved: the deviation is at most that.
    """

    nodes: np.ndarray
    weights: np.ndarray
    depth: np.ndarray
    hint: np.ndarray
    bound: np.ndarray

    @staticmethod
    def root(k: int) -> Regions:
        """Everything."""
        return Regions(np.zeros((1, 2), dtype=int), np.broadcast_to(np.eye(k), (1, 2, k, k)).copy(),
                       np.zeros((1, 2), dtype=int), np.zeros(1, dtype=int), np.full(1, np.inf))

    def __len__(self) -> int:
        return len(self.nodes)

    def take(self, index: np.ndarray | slice) -> Regions:
        """The regions of `index`."""
        return Regions(*(getattr(self, name)[index] for name in _FIELDS))

    @staticmethod
    def join(parts: Sequence[Regions]) -> Regions:
        """All regions of `parts`, at least one."""
        return Regions(*(np.concatenate([getattr(p, name) for p in parts]) for name in _FIELDS))


_FIELDS = ("nodes", "weights", "depth", "hint", "bound")


@dataclass(frozen=True, eq=False)
class Forms:
    """What A_{r,s} - alpha Q_{r,s} is on regions: within `gap` and `slack` I of `middle`, up to `pad` I.

    Attributes
    ----------
    middle, gap : ndarray of shape (B, n, n)
        Means and half the differences of A_maybe and A_sure; less alpha Q_c.
    slack, pad : ndarray of shape (B,)
    loose : ndarray of bool, shape (B,)
        Whether `gap` is not 0.
    reach : ndarray of shape (B, 2)
        Angles.
    """

    middle: np.ndarray
    gap: np.ndarray
    slack: np.ndarray
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

    def forms(self, regions: Regions) -> Forms:
        """What is known on the regions.

        Sums of rows err by gram_error of their energy, twice; Q by expectation_error, and by 8 u with the
        slack, which is inside it.
        """
        n, m = self.rows.shape[1], len(self.rows)
        (r, one), (s, two) = self.directions(regions, 0), self.directions(regions, 1)
        x, y = regions.nodes.T
        opened, maybe = self.tree.opened[0], self.tree.maybe[0]
        sure = opened[x] & opened[y]
        loose = maybe[x] & maybe[y] & ~sure
        slack = self.alpha * expected_turn(one, two)
        far = slack > self.alpha / 4  # then 0 <= Q <= I/2 (Fact 1) says more: I/4 +- I/4
        mean = np.where(far[:, None, None], np.eye(n) / 4, expected_gram(r, s))
        middle = ((sure + loose / 2) @ self._table).reshape(-1, n, n) - self.alpha * mean
        some = loose.any(axis=1)
        gap = np.zeros_like(middle)
        gap[some] = ((loose[some] / 2) @ self._table).reshape(-1, n, n)
        pad = 4 * rounding.gram_error(m, n) * self.energy + self.alpha * rounding.expectation_error(n)
        return Forms(middle, gap, np.minimum(slack, self.alpha / 4), pad, some, np.stack([one, two], axis=1))

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


@dataclass(frozen=True, eq=False)
class Examined:
    """What came of some regions.

    Attributes
    ----------
    done : Regions
        Proved.
    left : Regions
        Parts of those that are not.
    wanting : Regions
        Those for which no member will do, however small their parts.
    room, slack : ndarray of shape (W,)
        What a member leaves at their centers, and what would have to be left.
    forms : ndarray of shape (W, n, n)
        A - alpha Q at their centers.
    tests : ndarray of shape (q, n)
        Directions in which a member failed that the tests let pass.
    count : int
        Regions looked at.
    late : bool
    """

    done: Regions
    left: Regions
    wanting: Regions
    room: np.ndarray
    slack: np.ndarray
    forms: np.ndarray
    tests: np.ndarray
    count: int
    late: bool = False


def examine(
    cover: Cover, members: Members, levels: tuple[float, ...], deadline: float, regions: Regions
) -> Examined:
    """Prove deviation <= the first of `levels`, in ascending order, that a member proves.

    H covers a region at t if H + (t - proved) I - gap - slack I >= +-middle: then |u^T D v| <= t for all
    units u and v of the range and all D of the region, as u^T H u <= proved. H is held as it is stored, the
    matrices that are factorized err by the pad of the forms and by a few roundings of an entry.
    """
    n = cover.rows.shape[1]
    if time.monotonic() > deadline:
        none = regions.take(slice(0))
        return Examined(none, regions, none, np.zeros(0), np.zeros(0), np.zeros((0, n, n)),
                        np.zeros((0, n)), 0, late=True)
    forms = cover.forms(regions)
    along = np.abs(forms.middle.reshape(-1, n * n) @ members.squares)
    lost = along + forms.gap.reshape(-1, n * n) @ members.squares
    spare = np.stack([(seen - lost).min(axis=1) for seen in members.seen], axis=1)  # less the slack, at t = 0
    bound, hint, failed = np.full(len(regions), np.inf), regions.hint.copy(), []
    for t in levels:
        able = spare + (t - forms.slack)[:, None] >= 0
        own = spare.copy()
        own[np.arange(len(own)), regions.hint] += 1e3 * (1 + t)  # it comes first
        order = np.argsort(-np.where(able, own, -np.inf), axis=1, kind="stable")
        for attempt in range(min(_TRIES, len(members))):
            left = np.flatnonzero(np.isinf(bound) & able[np.arange(len(able)), order[:, attempt]])
            tried = order[left, attempt]
            good, direction = _covered(forms, members, left, tried, t)
            bound[left[good]], hint[left[good]] = t, tried[good]
            failed += direction[:_LEARNED]
    proved = np.isfinite(bound)
    t = levels[-1]
    hint[~proved] = spare[~proved].argmax(axis=1)
    room = np.full(len(regions), np.inf)
    asked = np.flatnonzero(~proved & ~forms.loose)
    room[asked] = _room(forms.middle[asked], members, hint[asked], t)
    wanting = room < _CLOSE * forms.slack
    regions = replace(regions, hint=hint, bound=np.minimum(regions.bound, bound))
    rest = np.flatnonzero(~proved & ~wanting)
    left, stuck = cover.split(regions.take(rest), forms.reach[rest])
    wanting[rest[stuck]] = True
    at = np.flatnonzero(wanting)
    return Examined(regions.take(proved), left, regions.take(at), room[at], forms.slack[at],
                    forms.middle[at], np.array(failed).reshape(-1, n), len(regions))


def _room(middle: np.ndarray, members: Members, which: np.ndarray, t: float) -> np.ndarray:
    """The least eigenvalue (B,) of H + (t - proved) I -+ middle for a member of each, in floats."""
    H, raised = members.matrices[which], t - members.proved[which]
    least = [np.linalg.eigvalsh(H + sign * middle)[:, 0] for sign in (1, -1)]
    return np.asarray(np.minimum(*least) + raised)


def wants(found: Examined, members: Members, t: float) -> Examined:
    """Those that still want a member, with what the last one leaves at their centers if that is more."""
    last = np.full(len(found.forms), len(members) - 1)
    room = np.maximum(found.room, _room(found.forms, members, last, t))
    left = np.flatnonzero(room < _CLOSE * found.slack)
    return replace(found, room=room[left], slack=found.slack[left], forms=found.forms[left])


def _covered(
    forms: Forms, members: Members, which: np.ndarray, tried: np.ndarray, t: float
) -> tuple[np.ndarray, list[np.ndarray]]:
    """Boolean: which regions are covered at t by the members that are tried, proved; directions that fail.

    An entry is a sum of five terms of size at most `big`: it errs by less than 8 u big, the matrix by n times
    that in norm, and lowering the diagonal by what is subtracted once more. A factorization reads one
    triangle.
    """
    n = forms.middle.shape[1]
    good, failed = np.ones(len(which), dtype=bool), []
    raised = t - members.proved[tried]
    big = (members.sizes[tried] + np.abs(raised) + forms.slack[which]
           + np.sqrt(np.sum(forms.middle[which] ** 2, axis=(1, 2)))
           + np.sqrt(np.sum(forms.gap[which] ** 2, axis=(1, 2))))
    pad = (forms.pad + 32 * n * rounding.UNIT * big) * (1 + 1e-6)
    pad += rounding.cholesky_loss(n, n * big)
    shift = raised - forms.slack[which] - pad
    diagonal = np.arange(n)
    base = members.matrices[tried] - forms.gap[which]
    base[:, diagonal, diagonal] += shift[:, None]
    for sign in (1, -1):
        at = np.flatnonzero(good)
        matrix = base[at] + sign * forms.middle[which[at]]
        for number, one in zip(at.tolist(), matrix, strict=True):
            _, info = dpotrf(one.T, lower=0, clean=0, overwrite_a=0)
            if info:
                good[number] = False
                if len(failed) < _LEARNED:
                    failed.append(np.linalg.eigh((one + one.T) / 2)[1][:, 0])
    good &= np.isfinite(big)
    return good, failed
