"""Blocks of simplicial cones, and what is proved of the pairs between two: plain data for every kernel."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["APART", "GROUPED", "KEPT", "OPEN", "ORDER", "PASSED", "Block", "Outcome"]

ORDER = 6
"""Most rays of a pair of cones."""

KEPT = (0.0, 0.5, 1.0)
"""Parts of the positive entries off the diagonal that an elimination keeps, in the order tried."""

PASSED, OPEN, GROUPED, APART = 64, 72, 80, 81
"""Codes of a tape, besides 8 i + j for a cut of the edge (i, j): the elimination with ``KEPT[code - PASSED]``
met positive pivots only; a matrix is left open; two groups hold; two groups are looked into."""


@dataclass(frozen=True, eq=False)
class Block:
    """Some simplicial cones, a binary tree over them, and their inner products in the form of a problem.

    Attributes
    ----------
    rays : ndarray of int64, shape (R,)
        Numbers of the rays, by which those of two blocks are known to be the same.
    scale : ndarray of shape (R,)
        d: an inner product of rays i and j errs by at most ``pad d_i d_j``, a number of the problem.
    simplices : ndarray of int32, shape (T, k)
        Places in `rays`; -1 beyond the last ray of a cone.
    own : ndarray of shape (T, k, k)
        Inner products within each cone.
    child : ndarray of int32, shape (N,)
        The first child of a node of the tree, the other one is the next node; -1 for a leaf. The root is 0.
    leaf, size : ndarray of int32, shape (N,)
        The cone of a leaf; how many cones a node has.
    first : ndarray of int64, shape (N + 1,)
    members : ndarray of int32
        The places of the rays of node i are ``members[first[i]: first[i + 1]]``.
    least : ndarray of shape (N,)
        c' such that the form is at least c' (sum x)^2 on every cone of a node, for coefficients x >= 0.
    widest : ndarray of shape (N,)
        The largest d of a node's rays.
    """

    rays: np.ndarray
    scale: np.ndarray
    simplices: np.ndarray
    own: np.ndarray
    child: np.ndarray
    leaf: np.ndarray
    size: np.ndarray
    first: np.ndarray
    members: np.ndarray
    least: np.ndarray
    widest: np.ndarray


@dataclass(frozen=True, eq=False)
class Outcome:
    """What is known of the pairs between two blocks.

    Attributes
    ----------
    nodes, matrices, pairs : int
        Matrices looked into, those of them that are a pair's own, pairs of cones not proved in groups.
    open : ndarray of int64, shape (H, 3)
        Pairs of cones that are not proved, and bits: of the j-th ray that they share, the sign is - if the
        j-th bit is set.
    found : ndarray of shape (H, 6)
        Coefficients >= 0 of the rays of such a pair (those of the first cone, then those of the second that
        are not among them) at which its form seems not to be positive; 0 where none were found.
    whole : bool
        Whether all pairs that are not in `open` are proved.
    tape : ndarray of uint8
        What the proof did, in its order; empty unless it was wanted.
    """

    nodes: int
    matrices: int
    pairs: int
    open: np.ndarray
    found: np.ndarray
    whole: bool
    tape: np.ndarray
