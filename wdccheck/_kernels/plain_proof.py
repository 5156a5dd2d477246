"""The proof of a subtree, one node at a time: the definition that the compiled one is tested against.

Depth first from every box. A node holds the lines whose gates are undecided on it, and the sure part of the
Gram matrix as one k x k matrix: gates decided at a node stay decided below it, and so does a side of the
inequality once it is proved. As r and s may be exchanged, a pair of boxes on one face is looked into only
where r is not below s along the coordinate after that of the face: who starts from one such pair has to
start from all of the face.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from wdccheck._kernels.first_order import first_order
from wdccheck._kernels.problem import CLOSE, CROWD, SCORED, Problem, Progress
from wdccheck._kernels.reference import expected_triangle, in_order, radius, semidefinite, symmetric
from wdccheck.linalg import rounding

__all__ = ["prove"]

UPPER, LOWER = 1, 2  # sides that are proved: lambda_max(A - E) <= t, lambda_max(E - A) <= t

FLAT = 3e-5  # distance from a span below which a unit vector seems to lie in it
WIDE = 4.0  # weight of the expectation's part of a score
STEPS = 2  # of the power iteration for the eigenvector that scores are taken at


@dataclass(frozen=True, eq=False)
class _Node:
    """A pair of boxes, (2, k) each; the signs (2, u) of the undecided lines `index` on them."""

    center: np.ndarray
    half: np.ndarray
    index: np.ndarray
    middle: np.ndarray
    reach: np.ndarray
    signs: np.ndarray
    low: np.ndarray
    proved: int
    u: np.ndarray
    edge: tuple[int, int] = (0, 0)


def prove(problem: Problem, center: np.ndarray, half: np.ndarray, budget: int, room: int) -> Progress:
    """Prove what can be proved of boxes (B, 2k), and say what is left.

    Parameters
    ----------
    problem : Problem
    center, half : ndarray of shape (B, 2k)
        r and s side by side; exact dyadic numbers.
    budget : int
        Nodes after which nothing new is looked into.
    room : int
        Hard boxes after which nothing new is looked into.
    """
    k = problem.rows.shape[1]
    stack = [(c.reshape(2, k), h.reshape(2, k)) for c, h in zip(center[::-1], half[::-1], strict=True)]
    todo: list[_Node | tuple[np.ndarray, np.ndarray]] = list(stack)
    hard: list[tuple[np.ndarray, np.ndarray]] = []
    visited = 0
    while todo and visited < budget and len(hard) < room:
        item = todo.pop()
        node = _root(problem, *item) if isinstance(item, tuple) else item
        if _mirrored(node):
            continue
        visited += 1
        node = _tested(problem, node)
        if node.proved == UPPER | LOWER:
            continue
        if _stops(problem, node):
            hard.append((node.center, node.half))
        else:
            todo += [_child(problem, node, 1.0), _child(problem, node, -1.0)]
    left = [(x if isinstance(x, tuple) else (x.center, x.half)) for x in reversed(todo)]
    return Progress(visited, _stacked(left, k), _stacked(hard, k))


def _stacked(boxes: list[tuple[np.ndarray, np.ndarray]], k: int) -> tuple[np.ndarray, np.ndarray]:
    parts = [np.array([box[i].ravel() for box in boxes]).reshape(-1, 2 * k) for i in (0, 1)]
    return parts[0], parts[1]


def _root(problem: Problem, center: np.ndarray, half: np.ndarray) -> _Node:
    m, k = problem.rows.shape
    middle = in_order(center[:, None] * problem.rows)
    reach = in_order(half[:, None] * np.abs(problem.rows)) + problem.errors
    node = _Node(center, half, np.arange(m), middle, reach, np.zeros((2, m), dtype=int),
                 np.zeros(k * (k + 1) // 2), 0, np.ones(k))
    return _settled(problem, replace(node, signs=_signs(node)))


def _child(problem: Problem, node: _Node, sign: float) -> _Node:
    """One half of a box, of the side that `sign` says."""
    letter, j = node.edge
    center, half = node.center.copy(), node.half.copy()
    half[letter, j] /= 2
    center[letter, j] += sign * half[letter, j]
    column = problem.rows[node.index, j]
    middle, reach = node.middle.copy(), node.reach.copy()
    middle[letter] += column * (sign * half[letter, j])
    reach[letter] -= np.abs(column) * half[letter, j]
    child = replace(node, center=center, half=half, middle=middle, reach=reach)
    signs = np.where(node.signs == 0, _signs(child), node.signs)
    return _settled(problem, replace(child, signs=signs))


def _signs(node: _Node) -> np.ndarray:
    return np.where(node.middle > node.reach, 1, np.where(node.middle < -node.reach, -1, 0))


def _settled(problem: Problem, node: _Node) -> _Node:
    """The sure lines added, the excluded ones dropped."""
    positive, negative = problem.outer
    sure, opposite = (node.signs == 1).all(axis=0), (node.signs == -1).all(axis=0)
    low = node.low.copy()
    for outer, index in ((positive, node.index[sure]), (negative, node.index[opposite])):
        for row in index:
            low += outer[row]
    kept = (_can(node) | _can_opposite(problem, node)) & ~(sure | opposite)
    return replace(node, index=node.index[kept], middle=node.middle[:, kept], reach=node.reach[:, kept],
                   signs=node.signs[:, kept], low=low)


def _can(node: _Node) -> np.ndarray:
    """Lines that may be open for r and s."""
    return np.asarray((node.signs >= 0).all(axis=0))


def _can_opposite(problem: Problem, node: _Node) -> np.ndarray:
    return np.asarray((node.signs <= 0).all(axis=0) & (problem.negative[node.index] > 0))


def _mirrored(node: _Node) -> bool:
    """Whether r and s lie on one face, every r below every s: then exchanged pairs stand for these."""
    face = np.flatnonzero((node.half == 0).all(axis=0) & (node.center[0] == node.center[1]))
    if not len(face):
        return False
    j = (int(face[-1]) + 1) % node.center.shape[1]
    return bool(node.center[0, j] + node.half[0, j] < node.center[1, j] - node.half[1, j])


def _tested(problem: Problem, node: _Node) -> _Node:
    """Both sides of Fact 10, by bounds on the expectation from the centers and by that on its range."""
    mean, theta, slack, floor, ceiling = _expected(problem, node)
    near = partial(_near, problem, slack,
                   first_order(problem.alpha, node.center, _radii(node), theta, slack))
    high, t, proved = _high(problem, node), problem.t, node.proved
    if not proved & UPPER and (near(mean - high)
                               or _holds(problem, t - problem.pad + floor, -high)):
        proved |= UPPER
    if not proved & LOWER and (near(node.low - mean)
                               or _holds(problem, t - problem.pad - ceiling, node.low)):
        proved |= LOWER
    if proved == UPPER | LOWER:
        return replace(node, proved=proved)
    worst = mean - node.low if proved & UPPER else high - mean
    u = node.u if len(node.u) < SCORED else _turned(worst, node.u, t)
    node = replace(node, proved=proved, u=u)
    return replace(node, edge=_edge(problem, node))


def _expected(problem: Problem, node: _Node) -> tuple[np.ndarray, float, float, float, float]:
    """alpha Q and theta at the centers, how far alpha Q is from that on the boxes, its eigenvalues there.

    The radii are proved (`radius`), and `error` is at least 104 u. At theta one `error` covers what theta is
    off, less than (2k + 48) u, and the rounding of both sums, less than 20 u. Beside the slack one is for
    `mean` and one for the rounding of `wedge`; the latter, and that of both eigenvalues, pi and the sines
    included, is less than 8 u.
    """
    alpha, error = problem.alpha, rounding.expectation_error(problem.rows.shape[1])
    mean, theta = expected_triangle(node.center[0][:, None], node.center[1][:, None])
    delta = _radii(node)
    wedge = float(np.sum(delta + np.sin(delta))) / (2 * np.pi)
    below = max(float(theta[0]) - delta.sum() - error, 0.0)
    above = min(float(theta[0]) + delta.sum() + error, np.pi)
    return (alpha * mean[:, 0], float(theta[0]), alpha * (wedge + 2 * error),
            alpha * ((np.pi - above - np.sin(above)) / (2 * np.pi) - error),
            alpha * ((np.pi - below + np.sin(below)) / (2 * np.pi) + error))


def _near(problem: Problem, slack: float, first: tuple[np.ndarray, float] | None, side: np.ndarray) -> bool:
    """Whether a side holds whatever alpha Q is near that at the centers."""
    shift = problem.t - problem.pad
    return _holds(problem, shift - slack, side) or (
        first is not None and _holds(problem, shift - first[1], side - first[0]))


def _radii(node: _Node) -> np.ndarray:
    return radius(node.center.T, node.half.T)


def _high(problem: Problem, node: _Node) -> np.ndarray:
    """What the sure and the undecided lines add up to."""
    positive, negative = problem.outer
    p, q = problem.positive[node.index], problem.negative[node.index]
    can, opposite = _can(node), _can_opposite(problem, node)
    first = can & ~(opposite & (q > p))
    return node.low + positive[node.index[first]].sum(axis=0) + negative[node.index[~first]].sum(axis=0)


def _holds(problem: Problem, shift: float, packed: np.ndarray) -> bool:
    return bool(semidefinite(np.array([shift]), packed[:, None], problem.t)[0])


def _turned(packed: np.ndarray, u: np.ndarray, t: float) -> np.ndarray:
    """A few power iterations from u, nearer to the top eigenvector."""
    matrix = symmetric(packed[:, None], len(u))[0] + t * np.eye(len(u))
    for _ in range(STEPS):
        u = in_order(matrix * u)
        u = u / np.sqrt(in_order(u * u) + 1e-300)
    return u


def _edge(problem: Problem, node: _Node) -> tuple[int, int]:
    """The edge to cut, as (letter, coordinate).

    The longest one as seen from the origin; from dimension 4 on, where the bound on the failing side falls
    most: by what cutting does to the radius, and by the rows that the better half decides.
    """
    k = len(node.u)
    norms = np.sqrt(np.sum(node.center**2, axis=1, keepdims=True))
    if k < SCORED:
        score = node.half / norms
    else:
        squares = np.sum(node.half**2, axis=1, keepdims=True)
        fall = (np.sqrt(squares) - np.sqrt(squares - 0.75 * node.half**2)) / norms
        delta = np.minimum(_radii(node), np.pi / 2)[:, None]
        score = WIDE * problem.alpha * (1 + np.cos(delta)) / (2 * np.pi) * fall + _gains(problem, node)
    score = np.where(node.half > 2.0 ** -problem.cuts, score, -1.0)
    letter, j = divmod(int(np.argmax(score)), k)
    return letter, j


def _gains(problem: Problem, node: _Node) -> np.ndarray:
    """Per edge (2, k), weight (w.u)^2 summed over the rows that the better half of a cut decides."""
    lower = node.proved & UPPER
    rows = problem.rows[node.index]
    heavy = np.maximum(problem.positive, problem.negative)[node.index]
    gain = in_order(rows * node.u) ** 2 * heavy
    distance = node.reach + (-node.middle if lower else node.middle)
    counts = node.signs == 0
    if lower:
        counts &= node.signs[::-1] == 1
    decides = counts[:, :, None] & (distance[:, :, None] < np.abs(rows) * node.half[:, None, :])
    return in_order((gain[:, None] * decides).swapaxes(1, 2))


def _stops(problem: Problem, node: _Node) -> bool:
    """Whether nothing is gained by a cut: an edge would be cut too often, or the lines seem dependent."""
    if not np.max(node.half) > 2.0 ** -problem.cuts:
        return True
    return bool(np.max(_radii(node)) < CLOSE) and any(_crowded(problem, node, x) for x in (0, 1))


def _crowded(problem: Problem, node: _Node, letter: int) -> bool:
    """Whether the undecided lines of a letter seem to have less rank than most lines would."""
    index = node.index[node.signs[letter] == 0]
    k = problem.rows.shape[1]
    if not 3 <= len(index) <= CROWD:
        return False
    basis = np.zeros((0, k))
    for row in problem.directions[index]:
        for b in basis:
            row = row - (row @ b) * b
        length = np.sqrt(row @ row)
        if length > FLAT:
            basis = np.concatenate([basis, row[None] / length])
            if len(basis) == k:
                return False
    return len(basis) < len(index)


