"""Gated sums sum_i 1[w_i.r > 0] 1[w_i.s > 0] (...): at points, and over boxes.

The pieces that every gated condition is made of; nothing here knows a condition.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import NamedTuple

import numpy as np

from wdccheck import _kernels
from wdccheck.geometry.arrangements import Lines, topes
from wdccheck.geometry.boxes import Boxes
from wdccheck.geometry.elimination import pivot_columns

__all__ = ["LineSigns", "Patterns", "crowded", "line_signs", "patterns"]


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
    guess: np.ndarray = (count >= 3) & (count <= _kernels.CROWD)
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


class Patterns(NamedTuple):
    """Weights that cover every gate pattern on a box, of the lines in which these differ.

    Attributes
    ----------
    free : ndarray of shape (v,)
        Lines that are undecided for one letter, and may be open; others have the weights of their signs.
    weights : ndarray of shape (T, v)
    """

    free: np.ndarray
    weights: np.ndarray


def patterns(
    lines: Lines, r: LineSigns, s: LineSigns, known: dict[bytes, Patterns | None]
) -> Iterator[tuple[np.ndarray, Patterns]]:
    """Boxes with the same signs, and weights that cover every gate pattern on them.

    The plain sandwich lets every undecided line contribute. That is attained unless the
    undecided lines depend on each other; then only the sign vectors of their cells are
    possible, and those are listed exactly. Points on a hyperplane open a subset of the gates of
    a cell next to them. Boxes where nothing is gained are left out. `known` remembers weights
    between calls, the last ones only.
    """
    state = np.concatenate([x.positive * np.int8(1) - x.negative * np.int8(1) for x in (r, s)])
    distinct, inverse = np.unique(state, axis=1, return_inverse=True)
    for index, column in enumerate(distinct.T):
        key = column.tobytes()
        if key not in known:
            while known and sum(map(_size, known.items())) > _KEPT:
                known.pop(next(iter(known)))
            known[key] = _maximal_weights(lines, *np.split(column, 2))
        found = known[key]
        if found is not None:
            yield np.flatnonzero(inverse.ravel() == index), found


_MOST_FREE = 8
_MOST_PATTERNS = 20_000
_KEPT = 2**24  # bytes of what is remembered


def _size(item: tuple[bytes, Patterns | None]) -> int:
    key, found = item
    return len(key) + (0 if found is None else found.weights.nbytes)


def _maximal_weights(lines: Lines, r: np.ndarray, s: np.ndarray) -> Patterns | None:
    """Patterns for signs r, s (m,) in {-1, 0, 1}, 0 undecided; None if nothing is gained."""
    reachable = ((lines.positive * ((r >= 0) & (s >= 0)) > 0)
                 | (lines.negative * ((r <= 0) & (s <= 0)) > 0))
    free = np.flatnonzero(reachable & ((r == 0) | (s == 0)))
    families, dependent = [], False
    for signs in (r[free], s[free]):
        chosen = np.flatnonzero(signs == 0)
        if len(chosen) > _kernels.CROWD:
            return None
        family = _dependent_signs(lines.rows[free[chosen]])
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
    both = (families[0][:, None, :] + families[1][None, :, :]).reshape(-1, len(free))
    both = np.unique(both, axis=0)
    weights = np.unique((both == 2) * lines.positive[free] + (both == -2) * lines.negative[free], axis=0)
    order = np.argsort(-weights.sum(axis=1), kind="stable")
    kept: list[int] = []
    for i in order:  # a pattern below another one in every line adds nothing
        if not (weights[i] <= weights[kept]).all(axis=1).any():
            kept.append(int(i))
    return Patterns(free, weights[kept])


def _dependent_signs(rows: np.ndarray) -> np.ndarray | None:
    """Sign vectors of dependent rows of less than full rank; None for all others."""
    if len(rows) < 3:
        return None  # two distinct lines are independent
    found = len(pivot_columns(rows))
    return topes(rows) if found < min(len(rows), rows.shape[1]) else None
