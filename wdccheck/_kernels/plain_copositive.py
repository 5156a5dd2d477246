"""Copositivity on the pairs between two blocks of cones: what the compiled version is tested against.

A pair of cones with rays g, g' holds if q(sum x_j g_j - sum y_j g'_j) >= 0 for all x, y >= 0, q a quadratic
form. A ray of both cones comes once, with either sign: each choice of signs is a matrix, and the pair holds
if all of them are copositive. Two groups of cones hold at once if their inner products are small. The
compiled version goes depth first; here all matrices of one depth are looked into together.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import numpy as np

from wdccheck._kernels.ray_blocks import APART, GROUPED, KEPT, OPEN, ORDER, PASSED, Block, Outcome

__all__ = ["DEEPEST", "prove", "search"]

DEEPEST = 60
"""Cuts of a matrix, one after the other."""

NARROW = 1 - 2.0**-40
_TOGETHER = 2048  # matrices searched together
_ORDINARY = 1e50  # entries beyond which a matrix is left open


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
    search, timely = _searched(matrices.z, matrices.order, most, deadline)
    opened = np.flatnonzero(search.failed)
    whole = timely and len(opened) < room
    tape = _tape(walk, matrices, search) if taped and whole else np.empty(0, dtype=np.uint8)
    return Outcome(int(search.visited.sum()), len(matrices.order), len(walk.pairs),
                   matrices.owner[opened[:room]], search.found[opened[:room]], whole, tape)


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
    found, timely = _searched(np.where(both, z, 0.0), np.asarray(orders), most, deadline)
    return ~found.failed & timely


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


# -- search --------------------------------------------------------------------------------------


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
class _Search:
    """What is known of the roots so far."""

    visited: np.ndarray
    failed: np.ndarray
    found: np.ndarray
    notes: list[tuple[np.ndarray, ...]] = field(default_factory=list)


def _searched(z: np.ndarray, order: np.ndarray, most: int, deadline: float) -> tuple[_Search, bool]:
    """Search matrices (B, 6, 6) of orders (B,) by cuts; whether there was time for it."""
    search = _Search(np.zeros(len(z), dtype=int), np.zeros(len(z), dtype=bool), np.zeros((len(z), ORDER)))
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


def _roots(search: _Search, z: np.ndarray, order: np.ndarray) -> _Nodes:
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


def _cut(search: _Search, nodes: _Nodes, most: int) -> _Nodes:
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


# -- tapes ---------------------------------------------------------------------------------------


def _tape(walk: _Walk, matrices: _Matrices, search: _Search) -> np.ndarray:
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
