"""Copositivity on the pairs between two blocks of cones: what the compiled version is tested against.

A pair of cones with rays g, g' holds if q(sum x_j g_j - sum y_j g'_j) >= 0 for all x, y >= 0, q a quadratic
form. A ray of both cones comes once, with either sign: each choice of signs is a matrix, and the pair holds
if all of them are copositive. Two groups of cones hold at once if their inner products are small. The
compiled version goes depth first; here all matrices of one depth are looked into together.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from wdccheck._kernels.plain_bisection import Search, searched
from wdccheck._kernels.ray_blocks import APART, GROUPED, OPEN, ORDER, Block, Outcome

__all__ = ["prove"]

NARROW = 1 - 2.0**-40


@dataclass
class _Walk:
    """What is gathered on the way through the trees."""

    left: Block
    right: Block
    cross: np.ndarray
    pad: float
    pairs: list[tuple[int, int]] = field(default_factory=list)
    steps: list[int] = field(default_factory=list)  # codes; -1 stands for the next pair

    def visit(self, a: int, b: int) -> None:
        same, one, two = self.left is self.right and a == b, self.left.child[a], self.right.child[b]
        if not same and self._together(a, b):
            self.steps.append(GROUPED)
        elif one < 0 and two < 0:
            self.steps.append(-1)
            self.pairs.append((int(self.left.leaf[a]), int(self.right.leaf[b])))
        else:
            self.steps.append(APART)
            if same:
                halves = [(one, one), (one, one + 1), (one + 1, one + 1)]
            elif one >= 0 and (two < 0 or self.left.size[a] >= self.right.size[b]):
                halves = [(one, b), (one + 1, b)]
            else:
                halves = [(a, two), (a, two + 1)]
            for half in halves:
                self.visit(*half)

    def _together(self, a: int, b: int) -> bool:
        """Whether all pairs between two nodes hold: 2 g.g' <= c' + c'' at any sums of the coefficients."""
        one, two = self.left.least[a], self.right.least[b]
        if not (one > 0 and two > 0):
            return False
        bound = np.sqrt(one * two) * NARROW - self.pad * self.left.widest[a] * self.right.widest[b]
        rows, columns = (block.members[block.first[i]: block.first[i + 1]]
                         for block, i in ((self.left, a), (self.right, b)))
        return bool(bound > 0 and (self.cross[np.ix_(rows, columns)] <= bound).all())


def prove(
    left: Block, right: Block, cross: np.ndarray, pad: float, most: int, room: int, deadline: float,
    taped: bool = False,
) -> Outcome:
    """Prove what can be proved of all pairs of a cone of `left` and one of `right`.

    Parameters
    ----------
    left, right : Block
        The same object for the pairs within a block, each with itself, too.
    cross : ndarray of shape (R, R')
        Inner products between their rays.
    pad : float
        How much they err, see :class:`~wdccheck._kernels.ray_blocks.Block`, and what is lost on the way.
    most : int
        Nodes after which a matrix is left open.
    room : int
        Open matrices after which nothing more is looked into.
    deadline : float
        Of ``time.monotonic()``, looked at now and then.
    taped : bool
        Whether to note all that is done.
    """
    walk = _Walk(left, right, cross, pad)
    walk.visit(0, 0)
    matrices = _matrices(walk)
    search, timely = searched(matrices.z, matrices.order, most, deadline)
    opened = np.flatnonzero(search.failed)
    whole = timely and len(opened) < room
    tape = _tape(walk, matrices, search) if taped and whole else np.empty(0, dtype=np.uint8)
    return Outcome(int(search.visited.sum()), len(matrices.order), len(walk.pairs),
                   matrices.owner[opened[:room]], search.found[opened[:room]], whole, tape)


# -- matrices ------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class _Matrices:
    """Matrices z (B, 6, 6) of `order` (B,); of which pair, and its signs, in `owner` (B, 3)."""

    z: np.ndarray
    order: np.ndarray
    owner: np.ndarray


def _matrices(walk: _Walk) -> _Matrices:
    """Those of all pairs, in order."""
    z, order, owner = [], [], []
    for s, t in walk.pairs:
        base, scale, sign, shared = _of_pair(walk, s, t)
        p = len(scale)
        for mask in range(1 << (len(shared) - (len(shared) == p))):
            sign[shared] = [-1 if mask >> bit & 1 else 1 for bit in range(len(shared))]
            matrix = np.zeros((ORDER, ORDER))
            lower = np.tril(np.outer(sign, sign) * base - np.outer(walk.pad * scale, scale))
            matrix[:p, :p] = lower + np.tril(lower, -1).T
            z.append(matrix)
            order.append(p)
            owner.append((s, t, mask))
    return _Matrices(np.array(z).reshape(-1, ORDER, ORDER), np.array(order, dtype=int),
                     np.array(owner, dtype=np.int64).reshape(-1, 3))


def _of_pair(walk: _Walk, s: int, t: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[int]]:
    """Inner products (p, p) of the rays of two cones, their scales and signs (p,), and which are shared."""
    left, right = walk.left, walk.right
    one, two = (x[x >= 0] for x in (left.simplices[s], right.simplices[t]))
    numbers = list(left.rays[one])
    partner = {numbers.index(ray): j for j, ray in enumerate(right.rays[two]) if ray in numbers}
    rest = [j for j in range(len(two)) if j not in partner.values()]
    n = len(one)
    base = np.zeros((n + len(rest),) * 2)
    base[:n, :n] = left.own[s][:n, :n]
    base[n:, n:] = right.own[t][np.ix_(rest, rest)]
    base[n:, :n] = walk.cross[np.ix_(one, two[rest])].T
    return (base, np.concatenate([left.scale[one], right.scale[two[rest]]]),
            np.concatenate([np.ones(n), -np.ones(len(rest))]), sorted(partner))


# -- tapes ---------------------------------------------------------------------------------------


def _tape(walk: _Walk, matrices: _Matrices, search: Search) -> np.ndarray:
    """The codes of a whole walk, those of a matrix depth first."""
    number, path, depth, code = (
        np.concatenate([note[i] for note in search.notes] or [np.empty(0, dtype=int)]) for i in range(4))
    order = np.lexsort((depth, path, number))
    bounds = np.searchsorted(number[order], np.arange(len(matrices.order) + 1))
    result: list[np.ndarray] = []
    at = 0
    for step in walk.steps:
        if step >= 0:
            result.append(np.array([step]))
            continue
        pair = matrices.owner[at, :2]
        while at < len(matrices.order) and (matrices.owner[at, :2] == pair).all():
            own = order[bounds[at]: bounds[at + 1]]
            result.append(np.array([OPEN]) if search.failed[at] else code[own])
            at += 1
    return np.concatenate(result).astype(np.uint8)
