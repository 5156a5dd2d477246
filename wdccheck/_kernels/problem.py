"""What the proof of a subtree needs to know, and what it hands back: plain data for every kernel."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from wdccheck._kernels.reference import outer_products
from wdccheck.linalg import rounding

__all__ = ["CLOSE", "CROWD", "MOST", "SCORED", "Problem", "Progress"]

CLOSE = 0.3
"""Radians: on larger boxes nobody asks whether lines depend on each other; a split gains more."""
CROWD = 24
"""Lines through a box; if there are more their sign vectors are not listed."""
MOST = 10
"""Largest dimension that a compiled proof takes."""

SCORED = 4
"""Dimension from which on the edge to cut is chosen by what its halves decide."""


@dataclass(frozen=True, eq=False)
class Problem:
    """``||A_{r,s} - alpha Q_{r,s}||_2 <= t`` over pairs of boxes on cube faces.

    A_{r,s} is the sum over l of ``positive[l] d_l d_l^T`` where d_l is open for r and s, and of
    ``negative[l] d_l d_l^T`` where -d_l is; a computed one errs by less than `pad`, whatever the order of
    its terms.

    Attributes
    ----------
    rows : ndarray of shape (m, k)
        d_l, k >= 2.
    positive, negative : ndarray of shape (m,)
    alpha, pad, t : float
    cuts : int
        Bisections of one edge at most.
    """

    rows: np.ndarray
    positive: np.ndarray
    negative: np.ndarray
    alpha: float
    pad: float
    t: float
    cuts: int

    @cached_property
    def errors(self) -> np.ndarray:
        """Errors of w.c and |w|.h together, (m,), after every cut of every edge of a letter."""
        return rounding.gate_error(self.rows, updates=self.cuts * self.rows.shape[1])

    @cached_property
    def outer(self) -> tuple[np.ndarray, np.ndarray]:
        """``positive d d^T`` and ``negative d d^T``, packed: each (m, k(k+1)/2)."""
        outer = outer_products(self.rows).T
        return (np.ascontiguousarray(self.positive[:, None] * outer),
                np.ascontiguousarray(self.negative[:, None] * outer))

    @cached_property
    def directions(self) -> np.ndarray:
        """The rows scaled to length 1, (m, k): to guess whether they depend on each other."""
        rows = self.rows / np.max(np.abs(self.rows), axis=1, keepdims=True)
        return np.ascontiguousarray(rows / np.sqrt(np.sum(rows**2, axis=1, keepdims=True)))


@dataclass(frozen=True, eq=False)
class Progress:
    """How far a proof came: everything not in `left` and `hard` is proved.

    Attributes
    ----------
    visited : int
        Nodes.
    left : tuple of two ndarrays of shape (B, 2k)
        Centers and half-widths of boxes not looked into, those of the deepest node first.
    hard : tuple of two ndarrays of shape (B, 2k)
        Boxes that are not proved and that it does not help, or is not allowed, to cut: more undecided
        lines than their rank pass through them, or an edge would be cut too often.
    """

    visited: int
    left: tuple[np.ndarray, np.ndarray]
    hard: tuple[np.ndarray, np.ndarray]
