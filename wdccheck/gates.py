"""Gated sums sum_i 1[w_i.r > 0] 1[w_i.s > 0] (...): along a great circle, and over boxes.

The pieces that every gated condition is made of; nothing here knows a condition.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np

from wdccheck import _kernels, rounding
from wdccheck.cells import Lines, pivot_columns, topes
from wdccheck.geometry import OnCircle, unit
from wdccheck.regions import Boxes
from wdccheck.spheres import OFF_WALL, Best, Profile

__all__ = [
    "LineSigns", "best_on_circle", "common_gates", "crowded", "line_signs", "patterns", "relevant", "scan",
    "soft_gradient",
]

Smooth = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]
"""(cos t, sin t), each (B, p), to the smooth part at t and at t + pi, each (B, p)."""

_GRID = 16
_STILL = 1e-7
"""A circle that keeps this close to a wall, relatively, slides along it: its gate is left as it is."""


def best_on_circle(
    along: np.ndarray, across: np.ndarray, coefficients: np.ndarray, expected: OnCircle
) -> Best:
    """The best points of sum_i coefficients_i 1[gate i open] + expected on B circles: see :func:`scan`.

    Where the point is now, and opposite to it, the value is always looked at.
    """
    breaks = 2 * max(1, int(np.count_nonzero(coefficients, axis=-1).max(initial=0)))
    if _kernels.best_on_circles is not None:
        return Best(*_kernels.best_on_circles(along, across, coefficients, expected.numbers), breaks)
    kinks = np.concatenate([expected.kinks, np.tile([0.0, np.pi], (len(along), 1))], axis=1)
    return Best(*scan(along, across, coefficients, expected.values, kinks).best(), breaks)


def scan(
    along: np.ndarray, across: np.ndarray, coefficients: np.ndarray, smooth: Smooth, kinks: np.ndarray
) -> Profile:
    """Profile of sum_i coefficients_i 1[gate i open] + smooth on B circles (Fact 11).

    Gate i is open where ``along_i cos t + across_i sin t > 0``. It toggles once in every half
    circle, and at t + pi exactly the other gates are open: n breakpoints are sorted, and both
    halves are read off one cumulative sum.

    Parameters
    ----------
    along, across, coefficients : ndarray of shape (B, n)
        w_i.r, w_i.tangent, and the summand of row i.
    smooth : callable
        See :data:`Smooth`.
    kinks : ndarray of shape (B, q)
        Angles at which the smooth part may have a corner: candidates like its maxima.
    """
    reach = np.abs(along) + np.abs(across)
    still = reach <= _STILL * np.max(reach, axis=-1, keepdims=True)
    steady = np.sum(coefficients, axis=-1, keepdims=True, where=still & (along > 0))
    along, across, coefficients = relevant(along, across, coefficients, ~still)
    opens = np.where(along > 0, -1.0, 1.0)  # +1: gate i opens in [0, pi); -1: it closes there
    distance = np.abs(along)
    facing = opens * across
    where = np.minimum(np.arctan2(distance, facing), np.nextafter(np.pi, 0))
    order = np.argsort(where, axis=-1)
    radius = np.hypot(distance, facing)
    breaks, cos, sin, jump = (np.take_along_axis(x, order, axis=-1) for x in (
        where, facing / radius, distance / radius, opens * coefficients))
    total = np.sum(coefficients, axis=-1, keepdims=True) + 2 * steady
    initial = np.sum(coefficients, axis=-1, keepdims=True, where=along > 0) + steady
    levels = np.concatenate([initial, initial + np.cumsum(jump, axis=-1)], axis=-1)
    here, opposite = smooth(cos, sin)
    inner, at_inner = _inner_maxima(breaks, levels, total, smooth, kinks)
    opposite += total
    earlier, level = levels[:, :-1], levels[:, 1:]
    return Profile(
        breaks=np.concatenate([breaks, breaks + np.pi], axis=-1),
        after=np.concatenate([here + level, opposite - level], axis=-1),
        before=np.concatenate([here + earlier, opposite - earlier], axis=-1),
        inner=inner,
        at_inner=at_inner,
    )


def relevant(
    along: np.ndarray, across: np.ndarray, coefficients: np.ndarray, moving: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The moving rows whose gate changes the sum, to the front; the rest is filled with nothing at pi."""
    used = (coefficients != 0) & moving
    counts = np.count_nonzero(used, axis=-1)
    width = max(1, int(counts.max(initial=0)))
    if width == along.shape[-1] and counts.min() == width:
        return along, across, coefficients
    found = np.flatnonzero(used)
    member = np.repeat(np.arange(len(used)), counts)
    target = np.arange(len(found)) + (np.arange(len(used)) * width - np.cumsum(counts) + counts)[member]
    result = []
    for source, rest in ((along, 0.0), (across, -1.0), (coefficients, 0.0)):
        packed = np.full(len(used) * width, rest)
        packed[target] = source.ravel()[found]
        result.append(packed.reshape(-1, width))
    return result[0], result[1], result[2]


def _inner_maxima(
    breaks: np.ndarray, levels: np.ndarray, total: np.ndarray, smooth: Smooth, kinks: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The two highest maxima of the smooth part, by a grid and one parabola, and the kinks."""
    grid = np.arange(_GRID) * (np.pi / _GRID)
    shape = (len(breaks), _GRID)
    here, there = smooth(np.broadcast_to(np.cos(grid), shape), np.broadcast_to(np.sin(grid), shape))
    values = np.concatenate([here, there], axis=-1)
    left, right = np.roll(values, 1, axis=-1), np.roll(values, -1, axis=-1)
    peaks = np.where((values > left) & (values >= right), values, -np.inf)
    chosen = np.argsort(-peaks, axis=-1, kind="stable")[:, :2]
    y0, y1, y2 = (np.take_along_axis(y, chosen, axis=-1) for y in (left, values, right))
    bend = y0 - 2 * y1 + y2
    shift = np.divide(0.5 * (y0 - y2), bend, out=np.zeros_like(bend), where=bend < 0)
    peak = (chosen + np.clip(shift, -1, 1)) * (np.pi / _GRID)
    angles = np.concatenate([peak, kinks], axis=-1) % (2 * np.pi)
    folded = np.where(angles >= np.pi, angles - np.pi, angles)
    here, there = smooth(np.cos(folded), np.sin(folded))
    passed = np.sum(breaks[:, None, :] <= folded[:, :, None], axis=-1)
    level = np.take_along_axis(levels, passed, axis=-1)
    walls = np.concatenate([breaks[:, -1:] - np.pi, breaks, breaks[:, :1] + np.pi], axis=-1)
    last, following = (np.take_along_axis(walls, passed + j, axis=-1) for j in (0, 1))
    clear = np.minimum(folded - last, following - folded) >= OFF_WALL  # on walls they have their own
    value = np.where(angles >= np.pi, total - level + there, level + here)
    return angles, np.where(clear, value, -np.inf)


def common_gates(rows: np.ndarray, letters: tuple[np.ndarray, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Gates open for every letter (B, k), in floats (B, n); whether all are beyond rounding (B,)."""
    errors = np.where(rows.any(axis=1), 2 * rounding.gate_error(rows), -1.0)
    gates, sure = np.ones((len(letters[0]), len(rows)), dtype=bool), np.ones(len(letters[0]), dtype=bool)
    for x in letters:
        product = x @ rows.T
        gates &= product > 0
        sure &= (np.abs(product) > errors * np.abs(x).max(axis=1, keepdims=True)).all(axis=1)
    return gates, sure


def soft_gradient(
    rows: np.ndarray, along: np.ndarray, coefficients: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """A direction in which many gates of large coefficient open (B, k).

    ``t = sum_i c_i exp(-(w_i.r / sigma_i)^2 / 2) w_i``: the gradient of the gated sum with gates
    smoothed at a random width, over a random subset of the rows. `along` is w_i.r, (B, n).
    """
    spread = np.sqrt(np.mean(along**2, axis=-1, keepdims=True)) + 1e-300
    sigma = spread * 10.0 ** rng.uniform(-2.0, 0.5, (len(along), 1))
    weight = coefficients * np.exp(-0.5 * (along / sigma) ** 2)
    kept = rng.random(along.shape) < rng.uniform(0.3, 1.0, (len(along), 1))
    result: np.ndarray = (weight * kept) @ rows
    return result


def off_walls(
    rows: np.ndarray, along: np.ndarray, toward: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """`toward` (B, k) projected off the few walls next to each point: the gates there stay.

    Along such a circle a point slides in the corner it has been driven to. The number of walls
    is random, at most k - 2. `along` is w_i.r, (B, n), for rows (n, k).
    """
    n, k = rows.shape
    most = min(k - 2, n - 1, _MOST_WALLS)
    if (count := int(rng.integers(0, max(most, 0) + 1))) == 0:
        return toward
    lengths = np.linalg.norm(rows, axis=1)
    distance = np.divide(np.abs(along), lengths, out=np.full_like(along, np.inf), where=lengths > 0)
    nearest = np.argpartition(distance, count, axis=-1)[:, :count]
    walls = unit(rows[nearest])
    gram = walls @ walls.swapaxes(1, 2) + 1e-12 * np.eye(count)  # walls may depend on each other
    share = np.linalg.solve(gram, walls @ toward[:, :, None])
    result: np.ndarray = toward - (walls.swapaxes(1, 2) @ share)[:, :, 0]
    return result


_MOST_WALLS = 16


@dataclass(frozen=True, eq=False)
class LineSigns:
    """Signs of the lines of an arrangement over boxes: boolean arrays (m, B).

    Neither `positive` nor `negative`: undecided. Both are strict, beyond rounding.
    """

    positive: np.ndarray
    negative: np.ndarray

    @property
    def undecided(self) -> np.ndarray:
        """Lines that may vanish or change sign on the box."""
        return ~(self.positive | self.negative)

    def take(self, boxes: np.ndarray) -> LineSigns:
        """The columns of `boxes`."""
        return LineSigns(self.positive[:, boxes], self.negative[:, boxes])


def line_signs(
    rows: np.ndarray, magnitudes: np.ndarray, errors: np.ndarray, boxes: Boxes, letter: int
) -> LineSigns:
    """Signs of w.x over the box of one letter: w.c -+ |w|.h against the rounding of both.

    Parameters
    ----------
    rows, magnitudes : ndarray of shape (m, k)
        w and |w|.
    errors : ndarray of shape (m,)
        ``rounding.gate_error(rows)``.
    """
    middle = rows @ boxes.center[letter]
    reach = magnitudes @ boxes.half[letter]
    reach += errors[:, None]
    return LineSigns(middle > reach, middle < -reach)


def crowded(unit_outer: np.ndarray, signs: LineSigns) -> np.ndarray:
    """Boxes (B,) on which more lines seem undecided than their rank: a cheap guess in floats.

    `unit_outer` holds the outer products of the lines scaled to length 1. In general position
    no flat is crowded; the guess only chooses where :func:`patterns` is worth a call.
    """
    undecided = signs.undecided
    count = undecided.sum(axis=0)
    k = int((np.sqrt(8 * len(unit_outer) + 1) - 1) / 2)
    guess: np.ndarray = (count >= 3) & (count <= _MOST_LINES)
    chosen = np.flatnonzero(guess)
    spread = unit_outer @ undecided[:, chosen].astype(np.float64)
    lowered = spread.copy()
    lowered[[i * (i + 3) // 2 for i in range(k)]] -= 1e-9
    deficient = ~_kernels.cholesky_succeeds(lowered, k)
    guess[chosen] = deficient
    doubtful = chosen[deficient & (count[chosen] < k)]
    if len(doubtful):
        values = np.linalg.eigvalsh(_kernels.symmetric(unit_outer @ undecided[:, doubtful], k))
        guess[doubtful] = np.sum(values > 1e-9, axis=-1) < count[doubtful]
    return guess


def patterns(
    lines: Lines, r: LineSigns, s: LineSigns, known: dict[bytes, np.ndarray | None]
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Boxes with the same signs, and weights (T, m) that cover every gate pattern on them.

    The plain sandwich lets every undecided line contribute. That is attained unless the
    undecided lines depend on each other; then only the sign vectors of their cells are
    possible, and those are listed exactly. Points on a hyperplane open a subset of the gates of
    a cell next to them. Boxes where nothing is gained are left out. `known` remembers weights
    between calls.
    """
    state = np.concatenate([x.positive * np.int8(1) - x.negative * np.int8(1) for x in (r, s)])
    distinct, inverse = np.unique(state, axis=1, return_inverse=True)
    for index, column in enumerate(distinct.T):
        key = column.tobytes()
        if key not in known:
            known[key] = _maximal_weights(lines, *np.split(column, 2))
        weights = known[key]
        if weights is not None:
            yield np.flatnonzero(inverse.ravel() == index), weights


_MOST_LINES = 24
_MOST_FREE = 8
_MOST_PATTERNS = 20_000


def _maximal_weights(lines: Lines, r: np.ndarray, s: np.ndarray) -> np.ndarray | None:
    """Weights (T, m) for signs r, s (m,) in {-1, 0, 1}, 0 undecided; None if nothing is gained."""
    reachable = ((lines.positive * ((r >= 0) & (s >= 0)) > 0)
                 | (lines.negative * ((r <= 0) & (s <= 0)) > 0))
    families, dependent = [], False
    for signs in (r, s):
        chosen = np.flatnonzero((signs == 0) & reachable)
        if len(chosen) > _MOST_LINES:
            return None
        family = _dependent_signs(lines.rows[chosen])
        if family is None:
            if len(chosen) > _MOST_FREE:
                return None
            family = np.array(list(product((1, -1), repeat=len(chosen))), dtype=np.int8)
        else:
            dependent = True
        full = np.tile(np.where(signs > 0, 1, -1).astype(np.int8), (len(family), 1))
        full[:, chosen] = family
        families.append(full)
    if not dependent or len(families[0]) * len(families[1]) > _MOST_PATTERNS:
        return None
    both = (families[0][:, None, :] + families[1][None, :, :]).reshape(-1, len(r))
    both = np.unique(both, axis=0)
    weights = np.unique((both == 2) * lines.positive + (both == -2) * lines.negative, axis=0)
    order = np.argsort(-weights.sum(axis=1), kind="stable")
    kept: list[int] = []
    for i in order:  # a pattern below another one in every line adds nothing
        if not (weights[i] <= weights[kept]).all(axis=1).any():
            kept.append(int(i))
    return weights[kept]


def _dependent_signs(rows: np.ndarray) -> np.ndarray | None:
    """Sign vectors of dependent rows of less than full rank; None for all others."""
    if len(rows) < 3:
        return None  # two distinct lines are independent
    found = len(pivot_columns(rows))
    return topes(rows) if found < min(len(rows), rows.shape[1]) else None
